// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code spindle storage-daemon} as a process: how it begins, refuses and ends. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class StorageDaemonTest {
  private static final String[] NODE = {
    "--blockdev", "driver=null-co,node-name=disk,size=1M", "--object", "iothread,id=io0"
  };

  @TempDir Path folder;

  private ProcessBuilder daemon(String... arguments) {
    String[] line = new String[arguments.length + 1];
    line[0] = "storage-daemon";
    System.arraycopy(arguments, 0, line, 1, arguments.length);
    return SpindleProcess.prepare(folder, List.of(), line);
  }

  private static void awaitFile(Path file, Process writer) throws Exception {
    while (writer.isAlive() && (!Files.exists(file) || Files.size(file) == 0)) {
      Thread.onSpinWait();
    }
  }

  @Test
  void aSignalEndsItInGoodOrder() throws Exception {
    Path pidFile = folder.resolve("daemon.pid");
    Process process =
        daemon("--pidfile", pidFile.toString(), NODE[0], NODE[1], NODE[2], NODE[3]).start();
    awaitFile(pidFile, process);
    assertEquals(process.pid() + "\n", Files.readString(pidFile));
    process.toHandle().destroy();
    String said = new String(process.getErrorStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), said);
    assertEquals("", said);
    assertFalse(Files.exists(pidFile));
  }

  @Test
  void aPidFileBelongsToOneDaemon() throws Exception {
    Path pidFile = folder.resolve("daemon.pid");
    Process first = daemon("--pidfile", pidFile.toString()).start();
    try {
      awaitFile(pidFile, first);
      SpindleProcess.finish(daemon("--pidfile", pidFile.toString()))
          .assertRefusal(1, "--pidfile: '" + pidFile + "' belongs to a process that is running");
      assertEquals(first.pid() + "\n", Files.readString(pidFile));
    } finally {
      first.destroy();
    }
    assertEquals(0, first.waitFor());
  }

  @Test
  void itGoesToTheBackgroundOnceItIsReady() throws Exception {
    Path pidFile = folder.resolve("daemon.pid");
    SpindleProcess.Outcome outcome =
        SpindleProcess.finish(daemon("--daemonize", "--pidfile", pidFile.toString()));
    assertEquals("", outcome.err());
    assertEquals("", outcome.out());
    assertEquals(0, outcome.status());
    ProcessHandle background =
        ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip())).orElseThrow();
    assertTrue(background.isAlive());
    // Field 6 of stat is the session, which it leads (proc(5)).
    String stat = Files.readString(Path.of("/proc", Long.toString(background.pid()), "stat"));
    assertEquals(
        Long.toString(background.pid()), stat.substring(stat.lastIndexOf(")")).split(" ", -1)[4]);
    for (int stream = 0; stream <= 2; stream++) {
      Path link = Path.of("/proc", Long.toString(background.pid()), "fd", Integer.toString(stream));
      assertEquals(Path.of("/dev/null"), Files.readSymbolicLink(link));
    }
    background.destroy();
    background.onExit().join();
    assertFalse(Files.exists(pidFile));
  }

  @Test
  void inTheBackgroundItStillRefusesOnStandardError() throws Exception {
    SpindleProcess.finish(
            daemon("--daemonize", "--blockdev", "driver=file,node-name=disk,filename=absent"))
        .assertRefusal(1, "Could not open 'absent': ENOENT (No such file or directory)");
  }

  @Test
  void whatItDoesNotKnowIsNamed() throws Exception {
    SpindleProcess.finish(daemon("--monitor", "stdio"))
        .assertRefusal(2, "unknown option '--monitor' (see spindle storage-daemon --help)");
    SpindleProcess.finish(daemon("--export", "type=nfs,id=e,node-name=disk"))
        .assertRefusal(1, "--export: unknown type 'nfs'; --export help lists those that exist");
    SpindleProcess.finish(daemon("--object", "secret,id=s"))
        .assertRefusal(1, "--object s: one of 'data' and 'file' must be given, and not both");
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The drivers of {@code docs/examples} behind an export, as the tutorial has it. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class DriverExportTest {
  private static final Path EXAMPLES = Path.of("..", "docs", "examples").toAbsolutePath();
  private static final int SIZE = 16 << 20;

  @TempDir Path folder;

  /** fio writes all of an encrypted disk in memory, and reads it back, through all three. */
  @Test
  void fioVerifiesWhatGoesThroughThreeOfThem() throws Exception {
    Path report = folder.resolve("totals.txt");
    Path pidFile = folder.resolve("daemon.pid");
    Files.write(folder.resolve("key"), new byte[32]);
    SpindleProcess.Outcome outcome =
        SpindleProcess.finish(
            SpindleProcess.prepare(
                folder,
                List.of(),
                "storage-daemon",
                "--object",
                "iothread,id=io0",
                "--blockdev",
                ("driver=java,node-name=disk,key-file=key,source=%1$s/Encrypt.java,"
                     + "file.driver=java,file.source=%1$s/Count.java,file.report=totals.txt,"
                     + "file.file.driver=java,file.file.source=%1$s/Ram.java,file.file.size=%2$d")
                    .formatted(EXAMPLES, SIZE),
                "--nbd-server",
                "addr.type=unix,addr.path=nbd.sock",
                "--export",
                "type=nbd,id=disk,node-name=disk,writable=on,iothread=io0",
                "--daemonize",
                "--pidfile",
                pidFile.toString()));
    assertEquals(new SpindleProcess.Outcome(0, "", ""), outcome);
    ProcessHandle daemon =
        ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip())).orElseThrow();
    try {
      Process fio =
          new ProcessBuilder(
                  "fio",
                  "--name=verify",
                  "--ioengine=nbd",
                  "--uri=nbd+unix:///disk?socket=nbd.sock",
                  "--size=" + SIZE,
                  "--rw=randwrite",
                  "--bsrange=512-64k",
                  "--iodepth=16",
                  "--verify=crc32c",
                  "--randseed=1")
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .start();
      String said = new String(fio.getInputStream().readAllBytes(), UTF_8);
      assertEquals(0, fio.waitFor(), said);
    } finally {
      daemon.destroy();
      daemon.onExit().join();
    }
    Matcher totals =
        Pattern.compile("reads \\d+ \\((\\d+) bytes\\), writes \\d+ \\((\\d+) bytes\\), .*\n")
            .matcher(Files.readString(report));
    assertTrue(totals.matches(), () -> "no totals");
    assertTrue(Long.parseLong(totals.group(1)) >= SIZE, totals::group);
    assertTrue(Long.parseLong(totals.group(2)) >= SIZE, totals::group);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.OutputStream;
import java.net.SocketException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
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

  /** Whatever a test has started that may not end by itself. */
  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void endAll() {
    started.forEach(Process::destroyForcibly);
  }

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

  /** Standard error is kept if it is a file. */
  @Test
  void inTheBackgroundItsLogGoesToAFile() throws Exception {
    Path pidFile = folder.resolve("daemon.pid");
    Path log = folder.resolve("daemon.log");
    Process first =
        daemon(
                "--daemonize",
                "--pidfile",
                pidFile.toString(),
                NODE[0],
                NODE[1],
                "--nbd-server",
                "addr.type=unix,addr.path=nbd.sock",
                "--export",
                "type=nbd,id=e,node-name=disk")
            .redirectError(log.toFile())
            .start();
    assertEquals(0, first.waitFor(), () -> "see " + log);
    ProcessHandle background =
        ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip())).orElseThrow();
    try {
      // Something that is no NBD client.
      try (SocketChannel client =
          SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("nbd.sock")))) {
        client.write(ByteBuffer.wrap(new byte[64]));
        ByteBuffer answer = ByteBuffer.allocate(1024);
        while (client.read(answer) >= 0) {
          answer.clear();
        }
      } catch (SocketException e) {
        // The daemon closes the connection with bytes in it that it has not read.
      }
    } finally {
      background.destroy();
      background.onExit().join();
    }
    assertTrue(Files.readString(log).contains("its connection is closed"), Files.readString(log));
  }

  @Test
  void thePidFileTellsThatEverythingIsServed() throws Exception {
    Path pidFile = folder.resolve("daemon.pid");
    Process process =
        daemon(
                "--pidfile",
                pidFile.toString(),
                "--export",
                "type=vhost-user-blk,id=e,node-name=disk,addr.type=unix,addr.path=vhost.sock",
                "--nbd-server",
                "addr.type=unix,addr.path=nbd.sock",
                NODE[0],
                NODE[1])
            .start();
    awaitFile(pidFile, process);
    assertTrue(Files.exists(folder.resolve("nbd.sock")));
    assertTrue(Files.exists(folder.resolve("vhost.sock")));
    process.toHandle().destroy();
    assertEquals(0, process.waitFor());
  }

  /** A driver none of whose reads ever ends, and that says when the first one is there. */
  private static final String HANGS =
      """
      import dev.spindle.block.plugin.DiskDriver;
      import java.lang.foreign.MemorySegment;
      import java.nio.file.*;
      import java.util.concurrent.CountDownLatch;

      class Hangs implements DiskDriver {
        public long size() { return 1 << 20; }

        public void read(MemorySegment data, long offset) throws Exception {
          Files.createFile(Path.of("hanging"));
          %s
        }
      }
      """;

  private String[] hangingExport() throws Exception {
    return hangingExport("new CountDownLatch(1).await();");
  }

  private String[] hangingExport(String read) throws Exception {
    Files.writeString(folder.resolve("Hangs.java"), HANGS.formatted(read));
    return new String[] {
      "storage-daemon",
      "--blockdev",
      "driver=java,node-name=disk,source=Hangs.java",
      "--nbd-server",
      "addr.type=unix,addr.path=nbd.sock",
      "--export",
      "type=nbd,id=e,node-name=disk",
      "--pidfile",
      "daemon.pid"
    };
  }

  /** Starts a daemon, and a client whose read hangs. */
  private Process startHanging(ProcessBuilder builder) throws Exception {
    Process daemon = builder.start();
    started.add(daemon);
    awaitFile(folder.resolve("daemon.pid"), daemon);
    Process client =
        new ProcessBuilder(
                "qemu-io",
                "-r",
                "-f",
                "raw",
                "-c",
                "read 0 512",
                "nbd+unix:///disk?socket=nbd.sock")
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .start();
    started.add(client);
    while (client.isAlive() && !Files.exists(folder.resolve("hanging"))) {
      Thread.onSpinWait();
    }
    assertTrue(client.isAlive());
    return daemon;
  }

  @Test
  void aDriverThatHangsIsNamedAndLeft() throws Exception {
    Process daemon =
        startHanging(
            SpindleProcess.prepareTestMain(folder, ImpatientDaemon.class, hangingExport()));
    daemon.toHandle().destroy();
    assertEquals(
        "spindle: closing export 'e' of node 'disk' has not ended within 2.0 s of the signal;"
            + " the process ends all the same\n",
        new String(daemon.getErrorStream().readAllBytes(), UTF_8));
    assertEquals(1, daemon.waitFor());
    assertFalse(Files.exists(folder.resolve("daemon.pid")));
  }

  /** A read that computes for ever keeps the main loop, and so everything at the end. */
  @Test
  void whatHoldsTheMainLoopIsLeft() throws Exception {
    Process daemon =
        startHanging(
            SpindleProcess.prepareTestMain(
                folder, ImpatientDaemon.class, hangingExport("while (true) {}")));
    daemon.toHandle().destroy();
    assertEquals(
        "spindle: closing the exports has not ended within 2.0 s of the signal;"
            + " the process ends all the same\n",
        new String(daemon.getErrorStream().readAllBytes(), UTF_8));
    assertEquals(1, daemon.waitFor());
    assertFalse(Files.exists(folder.resolve("daemon.pid")));
  }

  /** Even those that were opened before. */
  @Test
  void aDriverThatHangsKeepsNoOtherExport() throws Exception {
    List<String> line = new ArrayList<>(List.of(hangingExport()));
    line.addAll(
        1,
        List.of(
            NODE[0],
            "driver=null-co,node-name=null,size=1M",
            "--export",
            "type=nbd,id=before,node-name=null,name=null",
            "--export",
            "type=vhost-user-blk,id=too,node-name=null,addr.type=unix,addr.path=vhost.sock"));
    Process daemon =
        startHanging(
            SpindleProcess.prepareTestMain(
                folder, PatientDaemon.class, line.toArray(String[]::new)));
    try (SocketChannel client =
        SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("vhost.sock")))) {
      daemon.toHandle().destroy();
      assertEquals(-1, client.read(ByteBuffer.allocate(1)));
    }
    assertTrue(daemon.isAlive());
    daemon.toHandle().destroy();
    assertEquals(128 + 15, daemon.waitFor());
  }

  /** A disk of its own that is closed with a file that says so, or not at all. */
  private String[] closing(String name, String close) throws Exception {
    Files.writeString(
        folder.resolve(name + ".java"),
        """
        import dev.spindle.block.plugin.DiskDriver;
        import java.lang.foreign.MemorySegment;
        import java.nio.file.Files;
        import java.nio.file.Path;
        import java.util.concurrent.CountDownLatch;

        class %s implements DiskDriver {
          public long size() { return 1 << 20; }

          public void read(MemorySegment data, long offset) {}

          public void close() throws Exception { %s }
        }
        """
            .formatted(name, close));
    return new String[] {
      "--blockdev", "driver=java,node-name=%s,source=%s.java".formatted(name, name)
    };
  }

  @Test
  void aNodeThatHangsAtTheEndKeepsNoOtherFromBeingWritten() throws Exception {
    List<String> line = new ArrayList<>(List.of("storage-daemon"));
    String writes = "Files.createFile(Path.of(\"%s\"));";
    line.addAll(List.of(closing("First", writes.formatted("first"))));
    line.addAll(List.of(closing("Hangs", "new CountDownLatch(1).await();")));
    line.addAll(List.of(closing("Last", writes.formatted("last"))));
    line.addAll(List.of("--pidfile", "daemon.pid"));
    Process daemon =
        SpindleProcess.prepareTestMain(folder, ImpatientDaemon.class, line.toArray(String[]::new))
            .start();
    started.add(daemon);
    awaitFile(folder.resolve("daemon.pid"), daemon);
    daemon.toHandle().destroy();
    assertEquals(
        "spindle: closing node 'Hangs' has not ended within 2.0 s of the signal;"
            + " the process ends all the same\n",
        new String(daemon.getErrorStream().readAllBytes(), UTF_8));
    assertEquals(1, daemon.waitFor());
    assertTrue(Files.exists(folder.resolve("first")));
    assertTrue(Files.exists(folder.resolve("last")));
  }

  @Test
  void aSecondSignalEndsItAtOnce() throws Exception {
    Process daemon = startHanging(SpindleProcess.prepare(folder, List.of(), hangingExport()));
    daemon.toHandle().destroy();
    // It takes no more clients, and waits for this one's request.
    while (daemon.isAlive() && Files.exists(folder.resolve("nbd.sock"))) {
      Thread.onSpinWait();
    }
    assertTrue(daemon.isAlive());
    daemon.toHandle().destroy();
    assertEquals(128 + 15, daemon.waitFor());
  }

  @Test
  void inTheBackgroundItStillRefusesOnStandardError() throws Exception {
    SpindleProcess.finish(
            daemon("--daemonize", "--blockdev", "driver=file,node-name=disk,filename=absent"))
        .assertRefusal(
            1, "--blockdev disk: Could not open 'absent': ENOENT (No such file or directory)");
  }

  @Test
  void aMonitorControlsItAndEndsIt() throws Exception {
    Path socket = folder.resolve("qmp.sock");
    Process process =
        daemon(
                "--chardev",
                "socket,id=m,server=on,wait=off,path=" + socket,
                "--monitor",
                "m",
                NODE[0],
                NODE[1])
            .start();
    started.add(process);
    while (process.isAlive() && !Files.exists(socket)) {
      Thread.onSpinWait();
    }
    assertEquals(
        new SpindleProcess.Outcome(0, "{ }\n", ""),
        SpindleProcess.finish(
            SpindleProcess.prepare(
                folder,
                List.of(),
                "qmp",
                socket.toString(),
                "blockdev-add",
                "driver=raw",
                "node-name=top",
                "file=disk",
                "offset=4096")));
    SpindleProcess.finish(
            SpindleProcess.prepare(
                folder, List.of(), "qmp", socket.toString(), "blockdev-del", "node-name=disk"))
        .assertRefusal(1, "blockdev-del: Node 'disk' is in use by node 'top'");
    assertEquals(
        0,
        SpindleProcess.finish(
                SpindleProcess.prepare(folder, List.of(), "qmp", socket.toString(), "quit"))
            .status());
    assertEquals(0, process.waitFor());
    assertFalse(Files.exists(socket));
  }

  /** What is asked on standard input is answered to the end, though the input ends first. */
  @Test
  void aMonitorMayBeOnStandardInput() throws Exception {
    Process process = daemon("--chardev", "stdio,id=m", "--monitor", "m", NODE[0], NODE[1]).start();
    started.add(process);
    try (OutputStream input = process.getOutputStream()) {
      input.write(
          "{'execute': 'qmp_capabilities'} {'execute': 'query-block-exports', 'id': 1}\n{'execute': 'quit'}"
              .getBytes(UTF_8));
    }
    List<String> said = process.inputReader(UTF_8).lines().toList();
    assertEquals(0, process.waitFor());
    assertTrue(said.getFirst().startsWith("{\"QMP\":"), said.toString());
    assertEquals(
        List.of("{\"return\":{}}", "{\"return\":[],\"id\":1}", "{\"return\":{}}"),
        said.subList(1, said.size()));
  }

  @Test
  void whatItDoesNotKnowIsNamed() throws Exception {
    SpindleProcess.finish(daemon("--monitor", "c"))
        .assertRefusal(1, "--monitor: there is no --chardev 'c' that is not in use");
    SpindleProcess.finish(daemon("--chardev", "socket,id=c,path=x", "--monitor", "c"))
        .assertRefusal(
            1, "--chardev c: a monitor waits for its clients, so server=on must be given");
    SpindleProcess.finish(
            daemon("--chardev", "socket,id=c,host=192.0.2.1,port=1,server=on", "--monitor", "c"))
        .assertRefusal(
            1,
            "--chardev: '192.0.2.1' can be reached from other machines, and whoever reaches a"
                + " monitor owns the machine; only loopback is served");
    SpindleProcess.finish(daemon("--export", "type=nfs,id=e,node-name=disk"))
        .assertRefusal(1, "--export: unknown type 'nfs'; --export help lists those that exist");
    SpindleProcess.finish(daemon("--object", "secret,id=s"))
        .assertRefusal(1, "--object s: one of 'data' and 'file' must be given, and not both");
    SpindleProcess.finish(daemon("--nbd-server", "path=x"))
        .assertRefusal(1, "--nbd-server: unknown parameter 'path' (did you mean 'addr.path'?)");
    SpindleProcess.finish(daemon("--nbd-server", "addr.path=x"))
        .assertRefusal(1, "--nbd-server: addr: parameter 'type' is missing");
    SpindleProcess.finish(
            daemon("--export", "type=nbd,id=e,node-name=disk,writeable=on", NODE[0], NODE[1]))
        .assertRefusal(1, "--export e: unknown parameter 'writeable' (did you mean 'writable'?)");
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.vmm.qmp.QmpClient;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The monitor of a process, with the heap that a process has. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DaemonMonitorTest {
  private static final int MIB = 1 << 20;

  @TempDir Path folder;
  private Path socket;
  private Process daemon;

  @BeforeEach
  void start() throws Exception {
    socket = folder.resolve("qmp.sock");
    Path pidFile = folder.resolve("daemon.pid");
    daemon =
        SpindleProcess.prepare(
                folder,
                List.of(),
                "storage-daemon",
                "--chardev=socket,id=c,path=qmp.sock,server=on,wait=off",
                "--monitor=c",
                "--pidfile=" + pidFile)
            .redirectError(folder.resolve("log").toFile())
            .start();
    while (daemon.isAlive() && !Files.exists(pidFile)) {
      Thread.onSpinWait();
    }
    assertTrue(daemon.isAlive());
  }

  @AfterEach
  void end() throws Exception {
    daemon.toHandle().destroy();
    assertEquals(0, daemon.waitFor());
    assertEquals("", Files.readString(folder.resolve("log")));
  }

  private QmpClient client() throws Exception {
    QmpClient client = QmpClient.connect(socket);
    client.send("{'execute': 'qmp_capabilities'}");
    assertTrue(client.reply().has("return"));
    return client;
  }

  private static void send(QmpClient client, String begin, int filler, String end)
      throws Exception {
    client.send(begin.getBytes(UTF_8));
    byte[] some = new byte[MIB];
    Arrays.fill(some, (byte) 'y');
    for (int sent = 0; sent < filler; sent += some.length) {
      client.send(Arrays.copyOf(some, Math.min(some.length, filler - sent)));
    }
    client.send(end.getBytes(UTF_8));
  }

  @Test
  void aTextLongerThanTheHeapEndsNothing() throws Exception {
    try (QmpClient client = client()) {
      for (int length : new int[] {2 * MIB, 16 * MIB, 200 * MIB}) {
        send(client, "{'execute': 'query-version', 'id': '", length, "'}\n");
        assertEquals(
            "JSON parse error, the text is longer than 1 MiB",
            client.reply().path("error").path("desc").asString());
      }
      client.send("{'execute': 'query-version'}");
      assertTrue(client.reply().has("return"));
    }
    // Without an end of line, and away.
    try (QmpClient client = client()) {
      send(client, "", 70 * MIB, "");
    }
    client().close();
  }

  private SpindleProcess.Outcome qmp(String... arguments) throws Exception {
    List<String> line = new ArrayList<>(List.of("qmp"));
    line.addAll(List.of(arguments));
    return SpindleProcess.finish(
        SpindleProcess.prepare(folder, List.of(), line.toArray(String[]::new)));
  }

  @Test
  void oneCommandFindsItsMonitorByPathAndByPort() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0, 0, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    qmp("tcp:127.0.0.1:" + port, "query-version")
        .assertRefusal(1, "cannot connect to 'tcp:127.0.0.1:" + port + "': Connection refused");
    qmp("tcp:127.0.0.1:65536", "query-version").assertRefusal(1, "'65536' is no port, 0 to 65535");
    for (String place : List.of("qmp.sock", "unix:qmp.sock")) {
      SpindleProcess.Outcome outcome = qmp(place, "query-version");
      assertEquals(0, outcome.status(), outcome.err());
      assertTrue(outcome.out().contains("\"package\""), outcome.out());
    }
    Process other =
        SpindleProcess.prepare(
                folder,
                List.of(),
                "storage-daemon",
                "--chardev=socket,id=c,host=127.0.0.1,port=" + port + ",server=on,wait=off",
                "--monitor=c",
                "--pidfile=other.pid")
            .inheritIO()
            .start();
    try {
      while (other.isAlive() && !Files.exists(folder.resolve("other.pid"))) {
        Thread.onSpinWait();
      }
      SpindleProcess.Outcome outcome = qmp("tcp:127.0.0.1:" + port, "quit");
      assertEquals(0, outcome.status(), outcome.err());
      assertEquals(0, other.waitFor());
    } finally {
      other.destroyForcibly();
    }
  }

  /** Eight wait, and one more is being read and one answered. */
  @Test
  void asManyLongCommandsAsMayWaitHaveRoom() throws Exception {
    int commands = 30;
    try (QmpClient client = client()) {
      Thread sender =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      for (int i = 0; i < commands; i++) {
                        send(client, "{'execute': 'query-version', 'id': '", MIB - 100, "'}\n");
                      }
                    } catch (Exception e) {
                      throw new AssertionError(e);
                    }
                  });
      for (int i = 0; i < commands; i++) {
        assertEquals(MIB - 100, client.reply().path("id").asString().length());
      }
      sender.join();
    }
  }
}

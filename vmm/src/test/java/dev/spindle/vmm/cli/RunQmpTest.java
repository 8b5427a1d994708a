// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.spindle.vmm.qmp.QmpClient;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A machine controlled over QMP, in a process of its own, on whatever KVM there is. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RunQmpTest {
  @TempDir private Path folder;
  private Process spindle;

  @BeforeAll
  static void kvmIsHere() {
    RunOnAnyKvm.assumeKvm();
  }

  @AfterEach
  void end() {
    spindle.destroyForcibly();
  }

  private QmpClient start() throws Exception {
    Path kernel = EchoGuest.code().write(folder.resolve("kernel"));
    spindle =
        SpindleProcess.prepareTestMain(
                folder,
                RunOnAnyKvm.class,
                "--kernel",
                kernel.toString(),
                "--name",
                "echo",
                "--object",
                "iothread,id=io0",
                "--blockdev",
                "driver=null-co,node-name=disk,size=1M",
                "--device",
                "virtio-blk-pci,drive=disk,id=vd0",
                "--serial",
                "unix:serial,server=on,wait=off",
                "--qmp",
                "unix:qmp,server=on")
            .inheritIO()
            .start();
    // The guest does not begin before this client has come.
    while (true) {
      try {
        return QmpClient.connect(folder.resolve("qmp"));
      } catch (IOException e) {
        if (!spindle.isAlive()) {
          throw e;
        }
        Thread.onSpinWait();
      }
    }
  }

  private static JsonNode ask(QmpClient client, String text) throws IOException {
    client.send(text);
    return client.reply().path("return");
  }

  private static void assertEvent(String name, QmpClient client) throws IOException {
    assertEquals(name, client.event().path("event").asString());
  }

  private static String status(QmpClient client) throws IOException {
    return ask(client, "{'execute': 'query-status'}").path("status").asString("");
  }

  private SocketChannel serial() throws IOException {
    return SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("serial")));
  }

  private static void assertEchoes(SocketChannel serial, String text) throws IOException {
    serial.write(ByteBuffer.wrap(text.getBytes(UTF_8)));
    ByteBuffer answer = ByteBuffer.allocate(1);
    while (answer.get(0) != text.charAt(0)) {
      answer.clear();
      assertEquals(1, serial.read(answer));
    }
  }

  @Test
  void aMachineIsStoppedMovedContinuedAndEnded() throws Exception {
    try (QmpClient client = start()) {
      ask(client, "{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}");
      while (!status(client).equals("running")) {
        Thread.onSpinWait();
      }
      assertEquals("echo", ask(client, "{'execute': 'query-name'}").path("name").asString());
      try (SocketChannel serial = serial()) {
        assertEchoes(serial, "a");
        ask(client, "{'execute': 'stop'}");
        while (!client.event().path("event").asString().equals("STOP")) {
          // RESUME may come first: the guest's beginning.
        }
        assertEquals("paused", status(client));
        assertEquals(
            "{}",
            ask(
                    client,
                    "{'execute': 'x-blockdev-set-iothread',"
                        + " 'arguments': {'node-name': 'disk', 'iothread': 'io0'}}")
                .toString());
        assertEquals(
            "io0",
            ask(client, "{'execute': 'query-named-block-nodes'}")
                .get(0)
                .path("x-spindle-iothread")
                .asString());
        // Its driver has not begun to use the disk, so no request has been held back.
        assertEquals(
            0, ask(client, "{'execute': 'x-spindle-query-moves'}").get(0).path("moves").asInt());
        ask(client, "{'execute': 'cont'}");
        assertEvent("RESUME", client);
        assertEchoes(serial, "b");
        ask(client, "{'execute': 'system_reset'}");
        assertEchoes(serial, "c");
      }
      client.send("{'execute': 'quit', 'id': 'last'}");
      assertEquals("last", client.reply().path("id").asString());
    }
    assertEquals(0, spindle.waitFor());
    assertFalse(Files.exists(folder.resolve("qmp")), "nothing stays behind");
  }

  /** Others may read a machine's disk, for a backup perhaps, and are gone with the machine. */
  @Test
  void aMachinesDiskIsServedToOthers() throws Exception {
    Path socket = folder.resolve("nbd");
    try (QmpClient client = start()) {
      ask(client, "{'execute': 'qmp_capabilities'}");
      ask(
          client,
          "{'execute': 'nbd-server-start', 'arguments': {'addr': {'type': 'unix', 'data': {'path':"
              + " '%s'}}}}".formatted(socket));
      ask(client, "{'execute': 'nbd-server-add', 'arguments': {'device': 'disk'}}");
      assertEquals(
          "disk", ask(client, "{'execute': 'query-block-exports'}").get(0).path("id").asString());
      Process info =
          new ProcessBuilder("nbdinfo", "--size", "nbd+unix:///disk?socket=" + socket).start();
      assertEquals("1048576\n", new String(info.getInputStream().readAllBytes(), UTF_8));
      assertEquals(0, info.waitFor());
      client.send("{'execute': 'quit'}");
      client.reply();
    }
    assertEquals(0, spindle.waitFor());
    assertFalse(Files.exists(socket), "nothing stays behind");
  }

  @Test
  void aGuestThatSwitchesItselfOffIsTold() throws Exception {
    try (QmpClient client = start()) {
      ask(client, "{'execute': 'qmp_capabilities'}");
      while (!status(client).equals("running")) {
        Thread.onSpinWait();
      }
      try (SocketChannel serial = serial()) {
        serial.write(ByteBuffer.wrap("q".getBytes(UTF_8)));
        JsonNode event;
        do {
          event = client.event();
        } while (!event.path("event").asString().equals("SHUTDOWN"));
        assertEquals("guest-shutdown", event.path("data").path("reason").asString());
      }
    }
    assertEquals(0, spindle.waitFor());
  }
}

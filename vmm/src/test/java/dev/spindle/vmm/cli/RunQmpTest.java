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
    Files.write(folder.resolve("disk.img"), new byte[1 << 20]);
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
                "driver=file,node-name=disk,filename=disk.img",
                "--device",
                "virtio-blk-pci,drive=disk,id=vd0,num-queues=2",
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
        assertEvent("STOP", client);
        JsonNode reset = client.event();
        assertEquals("RESET", reset.path("event").asString());
        assertEquals(
            "{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}",
            reset.path("data").toString());
        assertEvent("RESUME", client);
        assertEchoes(serial, "c");
        ask(client, "{'execute': 'system_powerdown'}");
        assertEvent("POWERDOWN", client);
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

  private static void assertRefused(String sentence, QmpClient client, String text)
      throws IOException {
    client.send(text);
    assertEquals(sentence, client.reply().path("error").path("desc").asString());
  }

  @Test
  void disksAreResizedLimitedSpreadAndTold() throws Exception {
    try (QmpClient client = start()) {
      ask(client, "{'execute': 'qmp_capabilities'}");
      while (!status(client).equals("running")) {
        Thread.onSpinWait();
      }
      assertEquals(
          "{}",
          ask(
                  client,
                  "{'execute': 'block_resize', 'arguments': {'device': 'vd0', 'size': 2097152}}")
              .toString());
      assertEquals(2 << 20, Files.size(folder.resolve("disk.img")));
      assertEquals(
          "{}",
          ask(
                  client,
                  "{'execute': 'block_set_io_throttle', 'arguments': {'id': 'vd0', 'bps': 0,"
                      + " 'bps_rd': 0, 'bps_wr': 0, 'iops': 100, 'iops_rd': 0, 'iops_wr': 0}}")
              .toString());
      JsonNode disk = ask(client, "{'execute': 'query-block'}").get(0);
      assertEquals("/machine/peripheral/vd0", disk.path("qdev").asString());
      assertEquals(100, disk.path("inserted").path("iops").asInt());
      assertEquals("vd0", disk.path("inserted").path("group").asString());
      assertEquals(2 << 20, disk.path("inserted").path("image").path("virtual-size").asLong());
      assertRefused(
          "block_set_io_throttle: bps/iops/max total values and read/write values cannot be used at"
              + " the same time",
          client,
          "{'execute': 'block_set_io_throttle', 'arguments': {'id': 'vd0', 'bps': 0,"
              + " 'bps_rd': 0, 'bps_wr': 0, 'iops': 1, 'iops_rd': 1, 'iops_wr': 0}}");
      assertRefused(
          "Device 'vd9' not found",
          client,
          "{'execute': 'block_resize', 'arguments': {'device': 'vd9', 'size': 512}}");
      assertRefused(
          "vq index 2 is out of range: device 'vd0' has 2 queues",
          client,
          "{'execute': 'x-spindle-set-iothread-vq-mapping', 'arguments': {'id': 'vd0',"
              + " 'iothread-vq-mapping': [{'iothread': 'io0', 'vqs': [2]}]}}");
      assertRefused(
          "vq index 1 is assigned twice",
          client,
          "{'execute': 'x-spindle-set-iothread-vq-mapping', 'arguments': {'id': 'vd0',"
              + " 'iothread-vq-mapping': [{'iothread': 'io0', 'vqs': [1, 1]}]}}");
      assertEquals(
          "{}",
          ask(
                  client,
                  "{'execute': 'x-spindle-set-iothread-vq-mapping', 'arguments': {'id': 'vd0',"
                      + " 'iothread-vq-mapping': [{'iothread': 'io0', 'vqs': [1]}]}}")
              .toString());
      assertRefused(
          "object 'io0' is in use, can not be deleted: block device 'vd0' has queues there",
          client,
          "{'execute': 'object-del', 'arguments': {'id': 'io0'}}");
      JsonNode stats = ask(client, "{'execute': 'query-blockstats'}").get(0);
      assertEquals(0, stats.path("stats").path("rd_operations").asInt(-1));
      JsonNode functions = ask(client, "{'execute': 'query-pci'}").get(0).path("devices");
      assertEquals("vd0", functions.get(1).path("qdev_id").asString());
      assertEquals(0x1042, functions.get(1).path("id").path("device").asInt());
      long thread = ask(client, "{'execute': 'query-cpus-fast'}").get(0).path("thread-id").asLong();
      Path task = Path.of("/proc", Long.toString(spindle.pid()), "task", Long.toString(thread));
      assertEquals("vcpu0", Files.readString(task.resolve("comm")).strip());
      assertEquals(
          "VM status: running\r\n",
          ask(
                  client,
                  "{'execute': 'human-monitor-command',"
                      + " 'arguments': {'command-line': 'info status'}}")
              .asString());
      ask(client, "{'execute': 'quit'}");
    }
    assertEquals(0, spindle.waitFor());
  }
}

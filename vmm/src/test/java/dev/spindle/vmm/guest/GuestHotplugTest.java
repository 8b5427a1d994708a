// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static dev.spindle.vmm.guest.BootedGuest.number;
import static dev.spindle.vmm.guest.BootedGuest.text;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.Errno;
import dev.spindle.vmm.cli.MonitoredMachine;
import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.VirtualMachine;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A stock Debian guest gets disks while it runs, and loses them again, over QMP. All tests share
 * one guest; each brings its own disks, whose serial numbers tell the guest what to do with them.
 */
@Tag("kvm")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(value = 1200, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GuestHotplugTest {
  private static final long DISK_BYTES = 64L << 20;
  private static final int MOVES = 200;

  @TempDir static Path folder;
  private BootedGuest guest;
  private VirtualMachine machine;
  private MonitoredMachine qmp;

  @BeforeAll
  void boot() throws Exception {
    guest = BootedGuest.onRootDisk(folder);
    machine =
        guest.boot(
            "quiet spindle.job=disks spindle.fio.phases= spindle.fio.verify=1"
                + " spindle.fio.verify.size=4m");
    qmp = new MonitoredMachine(machine, folder);
    guest.await("init");
  }

  @AfterAll
  void end() throws Exception {
    try (BootedGuest ending = guest) {
      if (!machine.machine().state().isRunning()) {
        // A test has failed half-way.
        machine.resume();
      }
      addNode("last");
      plug("last", "serial=end");
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd(), ending.consoleTail());
      qmp.close();
      String console = ending.console();
      for (String bad : new String[] {"ACPI Error", "ACPI BIOS", "Kernel panic", "WARNING"}) {
        assertFalse(console.contains(bad), console);
      }
    }
  }

  private void addNode(String name) throws Exception {
    Path image = guest.emptyImage(name, DISK_BYTES);
    qmp.ask(
        "blockdev-add",
        "'driver': 'file', 'node-name': '%s', 'filename': '%s', 'cache': {'direct': true}",
        name,
        image);
  }

  /** Plugs a disk named as its node is, and waits until the guest has it. */
  private JsonNode plug(String name, String properties) throws Exception {
    StringBuilder members = new StringBuilder();
    for (String property : properties.split(";", -1)) {
      String[] parts = property.split("=", 2);
      boolean json = parts[1].matches("\\[.*|[0-9]+|true");
      members.append(", '" + parts[0] + "': ").append(json ? parts[1] : "'" + parts[1] + "'");
    }
    qmp.ask(
        "device_add",
        "'driver': 'virtio-blk-pci', 'id': '%s', 'drive': '%s'%s",
        name,
        name,
        members);
    JsonNode added = guest.await("disk-added");
    assertEquals(DISK_BYTES >> 9, number(added, "sectors"));
    return added;
  }

  /** Limits a disk; 0 is no limit. */
  private void limit(String name, int iops) throws Exception {
    qmp.ask(
        "block_set_io_throttle",
        "'id': '%s', 'bps': 0, 'bps_rd': 0, 'bps_wr': 0, 'iops': %d, 'iops_rd': 0, 'iops_wr': 0",
        name,
        iops);
  }

  private void awaitVerified(String verdict) throws Exception {
    JsonNode result = guest.await("fio-verify");
    assertEquals(verdict, text(result, "verify"), result::toString);
  }

  private void awaitDeleted(String name) throws Exception {
    JsonNode deleted = qmp.await("DEVICE_DELETED");
    assertEquals(name, text(deleted, "device"));
    assertEquals("/machine/peripheral/" + name, text(deleted, "path"));
    // Free at once.
    qmp.ask("blockdev-del", "'node-name': '%s'", name);
    guest.await("disk-removed");
    assertEquals(1, qmp.ask("query-block").size());
    assertEquals(2, qmp.ask("query-pci").get(0).path("devices").size());
  }

  @Test
  void aDiskComesWithAnIothreadOfItsOwnAndGoesWhenAskedTo() throws Exception {
    qmp.ask("object-add", "'qom-type': 'iothread', 'id': 'own'");
    addNode("first");
    JsonNode added = plug("first", "serial=fio;iothread=own;num-queues=2");
    assertEquals("fio", text(added, "serial"));
    assertEquals("/machine/peripheral/first", text(qmp.ask("query-block").get(1), "qdev"));
    JsonNode function = qmp.ask("query-pci").get(0).path("devices").get(2);
    assertEquals("first", text(function, "qdev_id"));
    awaitVerified("passed");
    qmp.ask("device_del", "'id': 'first'");
    awaitDeleted("first");
    qmp.ask("object-del", "'id': 'own'");
  }

  @Test
  void theGuestTakesADiskOutBeforeItIsAsked() throws Exception {
    addNode("pulled");
    plug(
        "pulled",
        "serial=fio-pull;num-queues=2;addr=1f;iothread-vq-mapping=[{'iothread': 'io0'},"
            + " {'iothread': 'io1'}]");
    awaitVerified("passed");
    guest.await("disk-removed");
    assertEquals(2, qmp.ask("query-block").size());
    qmp.ask("device_del", "'id': '/machine/peripheral/pulled'");
    assertEquals("pulled", text(qmp.await("DEVICE_DELETED"), "device"));
    qmp.ask("blockdev-del", "'node-name': 'pulled'");
  }

  @Test
  void theGuestEjectsADiskUnasked() throws Exception {
    addNode("ejected");
    plug("ejected", "serial=fio-eject;packed=true");
    awaitVerified("passed");
    awaitDeleted("ejected");
  }

  @Test
  void aDiskIsTakenAwayWhileFioWrites() throws Exception {
    addNode("busy");
    plug("busy", "serial=fio;num-queues=2;iothread=io1");
    // Slow enough that fio is not done before.
    limit("busy", 20);
    guest.await("fio-running");
    qmp.ask("device_del", "'id': 'busy'");
    awaitDeleted("busy");
    awaitVerified("failed");
  }

  @Test
  void theGuestSeesAnotherLengthAtOnce() throws Exception {
    addNode("grows");
    plug("grows", "serial=plain");
    qmp.ask("block_resize", "'device': 'grows', 'size': %d", 2 * DISK_BYTES);
    assertEquals((2 * DISK_BYTES) >> 9, number(guest.await("disk-resized"), "sectors"));
    // Another medium, of another length.
    qmp.ask("blockdev-add", "'driver': 'null-co', 'node-name': 'null', 'size': 1048576");
    qmp.ask("qom-set", "'path': 'grows', 'property': 'drive', 'value': 'null'");
    assertEquals(2048, number(guest.await("disk-resized"), "sectors"));
    qmp.ask("blockdev-del", "'node-name': 'grows'");
    qmp.ask("device_del", "'id': 'grows'");
    assertEquals("grows", text(qmp.await("DEVICE_DELETED"), "device"));
    qmp.ask("blockdev-del", "'node-name': 'null'");
    guest.await("disk-removed");
  }

  /** Each error stops the machine, and the request is sent again when it goes on. */
  @Test
  void errorsStopTheMachineAndTheGuestNeverHearsOfThem() throws Exception {
    String rule = "{'event': 'none', 'iotype': '%s', 'errno': %d, 'sector': 4096, 'once': true}";
    qmp.ask(
        "blockdev-add",
        "'driver': 'blkdebug', 'node-name': 'failing', 'inject-error': [%s, %s],"
            + " 'image': {'driver': 'file', 'filename': '%s'}",
        rule.formatted("write", Errno.ENOSPC),
        rule.formatted("read", Errno.EIO),
        guest.emptyImage("failing", DISK_BYTES));
    plug("failing", "serial=fio;werror=stop;rerror=stop;iothread=io0");
    assertStopsForAnError("write", "nospace");
    qmp.ask("cont");
    assertStopsForAnError("read", "failed");
    qmp.ask("cont");
    awaitVerified("passed");
    assertEquals("ok", text(qmp.ask("query-block").get(1), "io-status"));
    qmp.ask("device_del", "'id': 'failing'");
    awaitDeleted("failing");
  }

  private void assertStopsForAnError(String operation, String ioStatus) throws Exception {
    JsonNode error = qmp.await("BLOCK_IO_ERROR");
    assertEquals("/machine/peripheral/failing", text(error, "qom-path"));
    assertEquals(operation, text(error, "operation"));
    assertEquals("stop", text(error, "action"));
    assertEquals(ioStatus.equals("nospace"), error.path("nospace").asBoolean());
    qmp.await("STOP");
    assertEquals("io-error", text(qmp.ask("query-status"), "status"));
    assertEquals(ioStatus, text(qmp.ask("query-block").get(1), "io-status"));
  }

  /**
   * The disk's medium changes, too, to a node that leads to the same file: fio finds what it wrote.
   */
  @Test
  void fioVerifiesWhileItsDiskMovesTwoHundredTimes() throws Exception {
    addNode("moving");
    plug("moving", "serial=fio;num-queues=2;iothread=io0");
    qmp.ask("blockdev-add", "'driver': 'raw', 'node-name': 'over', 'file': 'moving'");
    guest.await("fio-running");
    // A pace at which fio takes about as long as the moves do.
    limit("moving", 15);
    for (int move = 1; move <= MOVES; move++) {
      qmp.ask(
          "x-blockdev-set-iothread",
          "'node-name': 'moving', 'iothread': '%s'",
          GuestMachine.IO_THREADS.get(move % 2));
      if (move % 10 == 0) {
        qmp.ask(
            "qom-set",
            "'path': 'moving', 'property': 'drive', 'value': '%s'",
            move % 20 == 0 ? "moving" : "over");
      }
    }
    limit("moving", 0);
    awaitVerified("passed");
    JsonNode moves = qmp.ask("x-spindle-query-moves").get(1);
    assertEquals("moving", text(moves, "id"));
    assertEquals(MOVES, number(moves, "moves"));
    assertEquals(
        MOVES,
        moves.path("histogram").path("bins").valueStream().mapToLong(JsonNode::asLong).sum(),
        moves::toString);
    assertTrue(number(moves, "longest-hold-ns") > 0);
    assertTrue(number(moves, "total-hold-ns") >= number(moves, "longest-hold-ns"));
    qmp.ask("blockdev-del", "'node-name': 'over'");
    qmp.ask("device_del", "'id': 'moving'");
    awaitDeleted("moving");
  }
}

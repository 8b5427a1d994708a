// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static dev.spindle.vmm.guest.BootedGuest.number;
import static dev.spindle.vmm.guest.BootedGuest.text;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

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
    qmp.ask(
        "block_set_io_throttle",
        "'id': 'busy', 'bps': 0, 'bps_rd': 0, 'bps_wr': 0, 'iops': 20, 'iops_rd': 0, 'iops_wr': 0");
    guest.await("fio-running");
    qmp.ask("device_del", "'id': 'busy'");
    awaitDeleted("busy");
    awaitVerified("failed");
  }
}

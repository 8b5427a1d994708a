// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.vmm.cli.MonitoredMachine;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Devices come and go over QMP, with guests of a few instructions, on whatever KVM there is. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HotplugTest {
  private static final int DOWN = 0x624;
  private static final int EJECT = 0x628;
  private static final String DISK = "'driver': 'virtio-blk-pci', 'drive': 'disk'";

  @TempDir private Path folder;
  private VirtualMachine machine;
  private MonitoredMachine qmp;

  @BeforeEach
  void kvmIsHere() {
    assumeTrue(Files.isWritable(Path.of("/dev/kvm")), "this machine has some KVM");
  }

  @AfterEach
  void close() throws Exception {
    if (qmp != null) {
      qmp.close();
      machine.close();
    }
  }

  /** Ejects at once whatever it is asked for. */
  private static Code32 obedient() {
    Code32 code = new Code32().bytes(0x66, 0xBA, DOWN, DOWN >> 8, 0xED); // mov dx, DOWN; in eax, dx
    Code32 eject = new Code32().bytes(0x66, 0xBA, EJECT, EJECT >> 8, 0xEF); // …; out dx, eax
    code.bytes(0x85, 0xC0, 0x74, eject.size()); // test eax, eax; jz over
    return code.bytes(0x66, 0xBA, EJECT, EJECT >> 8, 0xEF).again();
  }

  private void make(Code32 code) throws Exception {
    machine =
        VirtualMachine.create(
            new VirtualMachineConfig(
                new MachineConfig(
                    "tiny",
                    16 << 20,
                    GuestMemory.Pages.NORMAL,
                    false,
                    2,
                    code.write(folder.resolve("kernel")),
                    Optional.empty(),
                    "",
                    true),
                List.of(new IoThreadOption("io0", ContextOptions.IOTHREAD)),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of()));
    qmp = new MonitoredMachine(machine, folder);
    Files.write(folder.resolve("disk.img"), new byte[1 << 20]);
    addDisk();
  }

  private void addDisk() throws IOException {
    qmp.ask(
        "blockdev-add",
        "'driver': 'file', 'node-name': 'disk', 'filename': '%s'",
        folder.resolve("disk.img"));
  }

  private static String names(JsonNode places) {
    return places.findValuesAsString("name").toString();
  }

  @Test
  void aGuestThatEjectsHasDevicesComeAndGo() throws Exception {
    make(obedient());
    machine.start();
    for (int i = 0; i < 20; i++) {
      qmp.ask("object-add", "'qom-type': 'iothread', 'id': 'own'");
      qmp.ask("device_add", DISK + ", 'id': 'vd%d', 'iothread': 'own', 'serial': 'x'", i);
      JsonNode disk = qmp.ask("query-block").get(0);
      assertEquals("/machine/peripheral/vd" + i, disk.path("qdev").asString());
      assertEquals(false, disk.path("x-spindle-quiesced").asBoolean());
      assertEquals(
          "[type, vd" + i + "]", names(qmp.ask("qom-list", "'path': '/machine/peripheral'")));
      assertEquals("x", qmp.ask("qom-get", "'path': 'vd%d', 'property': 'serial'", i).asString());
      assertEquals(
          "vd" + i, qmp.ask("query-pci").get(0).path("devices").get(1).path("qdev_id").asString());
      qmp.ask("device_del", "'id': 'vd%d'", i);
      assertEquals("vd" + i, qmp.await("DEVICE_DELETED").path("device").asString());
      assertEquals(0, qmp.ask("query-block").size());
      assertEquals(1, qmp.ask("query-pci").get(0).path("devices").size());
      qmp.ask("object-del", "'id': 'own'");
      qmp.ask("blockdev-del", "'node-name': 'disk'");
      addDisk();
    }
  }

  @Test
  void aDeviceThatTheGuestKeepsGoesWithTheNextReset() throws Exception {
    make(new Code32().increment(Code32.SCRATCH).again());
    qmp.ask("device_add", DISK + ", 'id': 'vd0', 'iothread': 'io0'");
    qmp.ask("device_del", "'id': 'vd0'");
    String pending = "Device vd0 is already in the process of unplug";
    assertEquals(pending, qmp.refused("device_del", "'id': 'vd0'"));
    machine.start();
    assertEquals(pending, qmp.refused("device_del", "'id': 'vd0'"));
    machine.stop();
    assertEquals(pending, qmp.refused("device_del", "'id': 'vd0'"));
    assertEquals(
        "Node 'disk' is in use by block device 'vd0'",
        qmp.refused("blockdev-del", "'node-name': 'disk'"));
    assertEquals(
        "object 'io0' is in use", qmp.refused("object-del", "'id': 'io0'").substring(0, 22));
    qmp.ask("device_add", "'driver': 'virtio-rng-pci', 'id': 'rng0'");
    qmp.ask("system_reset");
    assertEquals("vd0", qmp.await("DEVICE_DELETED").path("device").asString());
    qmp.ask("blockdev-del", "'node-name': 'disk'");
    assertEquals("[type, rng0]", names(qmp.ask("qom-list", "'path': '/machine/peripheral'")));
    qmp.ask("cont");
    assertEquals(RunState.RUNNING, machine.machine().state());
  }

  @Test
  void whatIsWrongIsRefusedWithASentenceAndLeavesNothing() throws Exception {
    make(new Code32().halt());
    machine.start();
    qmp.ask("device_add", "'driver': 'virtio-rng-pci', 'id': 'rng0', 'addr': '0x5'");
    String[][] refusals = {
      {"'id': 'a'", "device_add: parameter 'driver' is missing"},
      {"'driver': 'e1000'", "'e1000' is not a valid device model name"},
      {"'driver': 'virtio-blk-pci'", "device_add: parameter 'drive' is missing"},
      {
        "'driver': 'virtio-blk-pci', 'drive': 'dish'",
        "device_add: there is no node 'dish' for 'drive' (did you mean 'disk'?)"
      },
      {DISK + ", 'id': 'rng0'", "Duplicate device ID 'rng0'"},
      {DISK + ", 'id': 'io0'", "device_add: duplicate id 'io0'"},
      {
        DISK + ", 'id': '0'",
        "device_add: '0' is no id: a letter, then letters, digits, '-', '.' or '_'"
      },
      {
        DISK + ", 'iothread': 'io7'", "device_add: cannot find iothread 'io7' (did you mean 'io0'?)"
      },
      {DISK + ", 'colour': 'red'", "device_add: unknown parameter 'colour'"},
      {DISK + ", 'logical_block_size': 300", "device_add: parameter 'logical_block_size' must be"},
      {
        DISK + ", 'logical_block_size': 2097152",
        "Device 'virtio-blk-pci,drive=disk': the length of"
      },
      {
        DISK + ", 'addr': '20'",
        "device_add: parameter 'addr' is a slot from 1 to 1f and function 0, not '20'"
      },
      {
        DISK + ", 'addr': '6.1'",
        "device_add: parameter 'addr' is a slot from 1 to 1f and function 0, not '6.1'"
      },
      {DISK + ", 'addr': '0'", "device_add: parameter 'addr' is a slot from 1 to 1f"},
      {
        DISK + ", 'addr': '5.0'",
        "PCI: slot 5 function 0 not available for virtio-blk-pci, in use by rng0"
      },
      {DISK + ", 'bus': 'usb.0'", "device_add: there is no bus 'usb.0': devices are on 'pcie.0'"}
    };
    for (String[] refusal : refusals) {
      String sentence = qmp.refused("device_add", refusal[0]);
      assertTrue(sentence.startsWith(refusal[1]), refusal[0] + ": " + sentence);
      assertEquals(0, qmp.ask("query-block").size(), refusal[0]);
    }
    assertEquals("Device 'vd0' not found", qmp.refused("device_del", "'id': 'vd0'"));
    assertEquals("Device 'io0' not found", qmp.refused("device_del", "'id': 'io0'"));
    qmp.ask("device_add", DISK + ", 'id': 'vd0'");
    String inUse = qmp.refused("device_add", DISK + ", 'id': 'vd1'");
    assertTrue(inUse.startsWith("Permission conflict on node 'disk'"), inUse);
    assertEquals(1, qmp.ask("query-block").size());
  }

  @Test
  void theLimitsOfADiskGoWithIt() throws Exception {
    make(obedient());
    machine.start();
    qmp.ask("device_add", DISK + ", 'id': 'vd0'");
    String limits =
        "'id': 'vd0', 'bps': 0, 'bps_rd': 0, 'bps_wr': 0, 'iops': 9, 'iops_rd': 0, 'iops_wr': 0";
    qmp.ask("block_set_io_throttle", limits);
    String group = "'qom-type': 'throttle-group', 'id': 'vd0'";
    assertTrue(qmp.refused("object-add", group).contains("vd0"));
    qmp.ask("device_del", "'id': 'vd0'");
    qmp.await("DEVICE_DELETED");
    qmp.ask("object-add", group);
    // A group that a user made stays.
    qmp.ask("device_add", DISK + ", 'id': 'vd1'");
    qmp.ask("block_set_io_throttle", limits.replace("'vd0'", "'vd1'") + ", 'group': 'vd0'");
    qmp.ask("device_del", "'id': 'vd1'");
    qmp.await("DEVICE_DELETED");
    qmp.ask("object-del", "'id': 'vd0'");
  }

  @Test
  void aDiskShowsAnotherNode() throws Exception {
    make(new Code32().halt());
    machine.start();
    qmp.ask("device_add", DISK + ", 'id': 'vd0'");
    qmp.ask("blockdev-add", "'driver': 'null-co', 'node-name': 'null', 'size': 4096");
    String drive = "'path': '/machine/peripheral/vd0', 'property': 'drive'";
    assertEquals("disk", qmp.ask("qom-get", drive).asString());
    qmp.ask("qom-set", drive + ", 'value': 'null'");
    assertEquals("null", qmp.ask("qom-get", drive).asString());
    JsonNode inserted = qmp.ask("query-block").get(0).path("inserted");
    assertEquals(4096, inserted.path("image").path("virtual-size").asInt());
    qmp.ask("blockdev-del", "'node-name': 'disk'");
    assertEquals(
        "Failed to find node with node-name='disk'",
        qmp.refused("qom-set", drive + ", 'value': 'disk'"));
    assertEquals(
        "Invalid parameter type for 'drive', expected: string",
        qmp.refused("qom-set", drive + ", 'value': null"));
    assertEquals("null", qmp.ask("qom-get", drive).asString());
    assertEquals(
        "Attempt to set property 'serial' on device 'vd0' (type 'virtio-blk-pci') after it was"
            + " realized",
        qmp.refused(
            "qom-set", "'path': '/machine/peripheral/vd0', 'property': 'serial', 'value': 'x'"));
  }

  @Test
  void thereAreThirtyOneSlotsAndTheyAreUsedAgain() throws Exception {
    make(obedient());
    machine.start();
    for (int i = 1; i < 32; i++) {
      qmp.ask("device_add", "'driver': 'virtio-rng-pci', 'id': 'rng%d'", i);
    }
    assertEquals(
        "PCI: no slot/function available for virtio-blk-pci, all in use or reserved",
        qmp.refused("device_add", DISK + ", 'id': 'vd0'"));
    qmp.ask("device_del", "'id': 'rng9'");
    qmp.await("DEVICE_DELETED");
    qmp.ask("device_add", DISK + ", 'id': 'vd0'");
    assertEquals(
        9,
        qmp.ask("query-pci")
            .get(0)
            .path("devices")
            .valueStream()
            .filter(function -> function.path("qdev_id").asString().equals("vd0"))
            .findFirst()
            .orElseThrow()
            .path("slot")
            .asInt());
  }

  @Test
  void devicesWithoutAnIdAreNamedApart() throws Exception {
    make(new Code32().halt());
    qmp.ask("device_add", "'driver': 'virtio-rng-pci'");
    qmp.ask("device_add", "'driver': 'virtio-rng-pci'");
    assertEquals(
        "[type, virtio-rng-pci, virtio-rng-pci 2]",
        names(qmp.ask("qom-list", "'path': '/machine/peripheral'")));
  }

  @Test
  void whileDevicesComeToRestForAResetTheMonitorAnswers() throws Exception {
    make(new Code32().halt());
    HeldDevice held = new HeldDevice();
    machine.machine().pci().attach(held);
    machine.start();
    CompletableFuture<Void> reset = machine.control("reset", machine.machine()::reset);
    held.resetBegun.join();
    assertEquals(2, qmp.ask("query-pci").get(0).path("devices").size());
    qmp.ask("device_add", DISK + ", 'id': 'vd0'");
    qmp.ask("device_del", "'id': 'vd0'");
    held.goOn.complete(null);
    reset.join();
    assertEquals("vd0", qmp.await("DEVICE_DELETED").path("device").asString());
    assertEquals(RunState.RUNNING, machine.machine().state());
  }
}

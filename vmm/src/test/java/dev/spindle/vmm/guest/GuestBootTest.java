// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.vmm.chardev.ChardevOption;
import dev.spindle.vmm.guest.GuestEvents.Line;
import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.MachineConfig;
import dev.spindle.vmm.machine.RunState;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.machine.VirtualMachineConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** A stock Debian kernel and its initrd boot, and the machine does what the guest says. */
@Tag("kvm")
@Timeout(value = 1200, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GuestBootTest {
  @TempDir private Path folder;
  private final GuestEvents events = new GuestEvents();
  private VirtualMachine machine;

  private VirtualMachine boot(String kernel, int cpus, long memory, String parameters)
      throws Exception {
    MachineConfig config =
        new MachineConfig(
            "test",
            memory,
            GuestMemory.Pages.NORMAL,
            cpus,
            file(kernel),
            Optional.of(file("SPINDLE_GUEST_INITRD")),
            "console=ttyS0 mitigations=off " + parameters,
            true);
    machine =
        VirtualMachine.create(
            new VirtualMachineConfig(
                config,
                List.of(),
                List.of(),
                List.of(),
                List.of(new ChardevOption.ToFile(console()), new ChardevOption.ToStream(events))));
    machine.machine().ending().thenRun(events::close);
    machine.start();
    return machine;
  }

  private static Path file(String variable) {
    return Path.of(System.getenv(variable));
  }

  private Path console() {
    return folder.resolve("console");
  }

  @AfterEach
  void close() {
    if (machine != null) {
      machine.close();
    }
  }

  /** Waits for an event and returns its members; what comes before it is dropped. */
  private JsonNode await(String name) throws Exception {
    while (true) {
      switch (events.next()) {
        case Line.Event(String event, JsonNode members) -> {
          if (event.equals(name)) {
            return members;
          }
        }
        case Line.Other(String text) -> {}
        case Line.End() -> fail("no " + name + "; console: " + Files.readString(console()));
      }
    }
  }

  private static double number(JsonNode members, String name) {
    return members.required(name).doubleValue();
  }

  @ParameterizedTest
  @CsvSource({
    "SPINDLE_GUEST_VMLINUX, 1, 256",
    "SPINDLE_GUEST_VMLINUZ, 2, 3200",
    "SPINDLE_GUEST_VMLINUZ, 4, 512"
  })
  void theGuestFindsItsCpusAndMemoryAndPowersOff(String kernel, int cpus, int mebibytes)
      throws Exception {
    boot(kernel, cpus, (long) mebibytes << 20, "spindle.job=boot");
    JsonNode boot = await("boot");
    assertEquals(cpus, number(boot, "cpus"));
    // The kernel keeps some for itself, some of it in proportion.
    double memory = number(boot, "memory_kib") / 1024;
    assertTrue(memory <= mebibytes && memory > mebibytes * 0.95 - 80, memory + " MiB");
    assertEquals(0, number(await("end"), "status"));
    assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    assertEquals(RunState.SHUTDOWN, machine.machine().state());
    machine.close();
    machine = null;

    String console = Files.readString(console());
    assertTrue(console.contains("reboot: Power down"), console);
    assertTrue(console.contains("ACPI: Interpreter enabled"), console);
    assertTrue(console.contains("PCI: MMCONFIG for domain 0000"), console);
    assertTrue(console.contains("rtc_cmos"), console);
    assertTrue(console.contains("ttyS1 at I/O 0x2f8 (irq = 3"), console);
    assertFalse(console.contains("ACPI Error"), console);
    assertFalse(console.contains("ACPI BIOS"), console);
    assertFalse(console.contains("Kernel panic"), console);
  }

  @Test
  void rebootBootsAgainAndStopsAndResetsFromOutsideDoTheirPart() throws Exception {
    boot("SPINDLE_GUEST_VMLINUZ", 2, 256 << 20, "quiet spindle.job=reboot");
    await("init");
    // The guest reboots by itself.
    await("end");
    await("init");
    // And again, from outside, while it is stopped.
    machine.stop();
    machine.reset();
    assertEquals(RunState.PRELAUNCH, machine.machine().state());
    machine.resume();
    await("init");
    machine.quit();
    assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
  }

  @Test
  void timeStandsStillForTheGuestWhileItIsStopped() throws Exception {
    boot("SPINDLE_GUEST_VMLINUZ", 2, 256 << 20, "quiet spindle.job=idle");
    double before = number(await("heartbeat"), "uptime");
    for (int i = 0; i < 3; i++) {
      machine.stop();
      // What is tested is that this time does not pass for the guest.
      Thread.sleep(20_000);
      machine.resume();
    }
    double after = before;
    for (int i = 0; i < 3; i++) {
      after = number(await("heartbeat"), "uptime");
    }
    assertTrue(after - before < 50, "guest time went from " + before + " to " + after);
    machine.quit();
    assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
    String console = Files.readString(console());
    assertFalse(console.contains("soft lockup"), console);
    assertFalse(console.contains("rcu_preempt detected stalls"), console);
  }
}

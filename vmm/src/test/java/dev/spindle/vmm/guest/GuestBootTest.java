// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.RunState;
import dev.spindle.vmm.machine.VirtualMachine;
import java.nio.file.Path;
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
  private BootedGuest guest;

  private VirtualMachine boot(String kernel, int cpus, int mebibytes, String parameters)
      throws Exception {
    guest = BootedGuest.onInitrd(folder, kernel);
    guest.description().cpus(cpus).memoryBytes((long) mebibytes << 20).allowReboot();
    return guest.boot(parameters);
  }

  @AfterEach
  void close() {
    if (guest != null) {
      guest.close();
    }
  }

  private static double number(JsonNode members, String name) {
    return members.required(name).doubleValue();
  }

  @ParameterizedTest
  @CsvSource({
    "SPINDLE_GUEST_VMLINUX, 1, 256, ignore_loglevel",
    "SPINDLE_GUEST_VMLINUZ, 2, 3200, quiet",
    "SPINDLE_GUEST_VMLINUZ, 4, 512, quiet"
  })
  void theGuestFindsItsCpusAndMemoryAndPowersOff(
      String kernel, int cpus, int mebibytes, String talk) throws Exception {
    VirtualMachine machine = boot(kernel, cpus, mebibytes, talk + " spindle.job=boot");
    JsonNode boot = guest.await("boot");
    assertEquals(cpus, number(boot, "cpus"));
    // The kernel keeps some for itself, some of it in proportion.
    double memory = number(boot, "memory_kib") / 1024;
    assertTrue(memory <= mebibytes && memory > mebibytes * 0.95 - 80, memory + " MiB");
    assertEquals(0, number(guest.await("end"), "status"));
    assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    assertEquals(RunState.SHUTDOWN, machine.machine().state());
    guest.close();

    String console = guest.console();
    assertTrue(console.contains("reboot: Power down"), console);
    // Errors are printed in any case; every other line is an exit for each of its characters.
    if (!talk.equals("quiet")) {
      assertTrue(console.contains("ACPI: Interpreter enabled"), console);
      assertTrue(console.contains("PCI: MMCONFIG for domain 0000"), console);
      assertTrue(console.contains("rtc_cmos"), console);
      assertTrue(console.contains("ttyS1 at I/O 0x2f8 (irq = 3"), console);
    }
    assertFalse(console.contains("ACPI Error"), console);
    assertFalse(console.contains("ACPI BIOS"), console);
    assertFalse(console.contains("Kernel panic"), console);
  }

  @Test
  void rebootBootsAgainAndStopsAndResetsFromOutsideDoTheirPart() throws Exception {
    VirtualMachine machine = boot("SPINDLE_GUEST_VMLINUZ", 2, 256, "quiet spindle.job=reboot");
    guest.await("init");
    // The guest reboots by itself.
    guest.await("end");
    guest.await("init");
    // And again, from outside, while it is stopped.
    machine.stop();
    machine.reset();
    assertEquals(RunState.PRELAUNCH, machine.machine().state());
    machine.resume();
    guest.await("init");
    machine.quit();
    assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
  }

  @Test
  void timeStandsStillForTheGuestWhileItIsStopped() throws Exception {
    VirtualMachine machine = boot("SPINDLE_GUEST_VMLINUZ", 2, 256, "quiet spindle.job=idle");
    double before = number(guest.await("heartbeat"), "uptime");
    for (int i = 0; i < 3; i++) {
      machine.stop();
      // What is tested is that this time does not pass for the guest.
      Thread.sleep(20_000);
      machine.resume();
    }
    double after = before;
    for (int i = 0; i < 3; i++) {
      after = number(guest.await("heartbeat"), "uptime");
    }
    assertTrue(after - before < 50, "guest time went from " + before + " to " + after);
    machine.quit();
    assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
    String console = guest.console();
    assertFalse(console.contains("soft lockup"), console);
    assertFalse(console.contains("rcu_preempt detected stalls"), console);
  }
}

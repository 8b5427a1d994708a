// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.machine.VirtualMachineConfig;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class GuestMachineTest {
  private static final Path CONSOLE = Path.of("console");

  @Test
  void theRootDiskIsTheFirstAndOnlyRead() throws OptionException {
    GuestMachine machine =
        GuestMachine.withRootDisk(
            "demo", new GuestFiles(Path.of("kernel"), Path.of("initrd"), Path.of("a,b/root-disk")));
    machine.addDisk("vd1", Path.of("disk"), "cache.direct=on,discard=unmap", "serial=x", 2, true);
    VirtualMachineConfig config = machine.config("quiet", CONSOLE, new GuestEvents());
    assertEquals(
        "console=ttyS0 mitigations=off root=/dev/vda ro quiet", config.machine().commandLine());
    assertFalse(config.machine().rebootAllowed());
    assertEquals("vd0", config.devices().getFirst().id());
    Options root = config.blockNodes().getFirst();
    assertEquals("file", root.require("driver"));
    assertEquals("vd0-node", root.require("node-name"));
    assertEquals("a,b/root-disk", root.require("filename"));
    assertEquals("on", root.require("read-only"));
    root.finish();
    assertEquals(2, config.devices().size());
  }

  @Test
  void withoutDisksNothingIsMounted() {
    VirtualMachineConfig config =
        new GuestMachine("test", Path.of("kernel"), Path.of("initrd"))
            .cpus(4)
            .memoryBytes(256 << 20)
            .config("spindle.job=boot", CONSOLE, new GuestEvents());
    assertEquals("console=ttyS0 mitigations=off spindle.job=boot", config.machine().commandLine());
    assertEquals(4, config.machine().cpus());
    assertEquals(256 << 20, config.machine().memoryBytes());
    assertEquals(0, config.blockNodes().size());
  }

  @Test
  void aDisksOptionsAreRefusedInTheGuestsName() {
    GuestMachine machine = new GuestMachine("test", Path.of("kernel"), Path.of("initrd"));
    OptionException refusal =
        assertThrows(
            OptionException.class,
            () -> machine.addDisk("vd0", Path.of("disk"), "nonsense", "", 1, false));
    assertEquals("test: expected key=value, not 'nonsense'", refusal.getMessage());
  }
}

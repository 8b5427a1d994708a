// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.vmm.chardev.ChardevOption;
import dev.spindle.vmm.machine.VirtualMachineConfig.IoThreadOption;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** What machines do with guests of a few instructions, which any KVM can run. */
@Timeout(120)
abstract class TinyGuestContract {
  @TempDir private Path directory;

  private Path output() {
    return directory.resolve("serial");
  }

  VirtualMachine machine(Code32 code, int cpus, boolean rebootAllowed, DeviceOption... devices)
      throws Exception {
    return machine(
        code, cpus, rebootAllowed, List.of(devices), List.of(new ChardevOption.ToFile(output())));
  }

  private VirtualMachine machine(
      Code32 code,
      int cpus,
      boolean rebootAllowed,
      List<DeviceOption> devices,
      List<ChardevOption> serialPorts)
      throws Exception {
    return VirtualMachine.create(
        new VirtualMachineConfig(
            config(code, cpus, rebootAllowed, false),
            List.of(),
            List.of(),
            List.of(),
            List.of(),
            devices,
            serialPorts));
  }

  private MachineConfig config(Code32 code, int cpus, boolean rebootAllowed, boolean memoryLocked)
      throws IOException {
    return new MachineConfig(
        "tiny",
        16 << 20,
        GuestMemory.Pages.NORMAL,
        memoryLocked,
        cpus,
        code.write(directory.resolve("kernel")),
        Optional.empty(),
        "",
        rebootAllowed);
  }

  Machine.Ending run(Code32 code, boolean rebootAllowed) throws Exception {
    try (VirtualMachine machine = machine(code, 1, rebootAllowed)) {
      machine.start();
      return machine.awaitEnd();
    }
  }

  String printed() throws IOException {
    return Files.readString(output(), StandardCharsets.ISO_8859_1);
  }

  @Test
  void aGuestWritesBytesAndStringsAndSwitchesOff() throws Exception {
    Code32 code =
        new Code32()
            .outByte(Code32.COM1, 'A')
            .outString(Code32.COM1, "string output\n")
            .outByte(Code32.COM1, 'Z')
            .powerOff();
    assertEquals(Machine.Ending.POWER_OFF, run(code, true));
    assertEquals("Astring output\nZ", printed());
  }

  @Test
  void memoryOutsideRamIsTheDevicesOrReadsAllOnes() throws Exception {
    Code32 code =
        new Code32()
            .loadEax(0xE000_0000) // The host bridge's ids in its configuration space.
            .outEax()
            .loadEax(0xD000_0000) // Nothing is there.
            .outEax()
            .setEax(0x1234_5678)
            .storeEax(0xD000_0000) // Goes nowhere.
            .loadEax(0xD000_0000)
            .outEax()
            .powerOff();
    assertEquals(Machine.Ending.POWER_OFF, run(code, true));
    assertArrayEquals(
        new byte[] {0x36, 0x1B, 8, 0, -1, -1, -1, -1, -1, -1, -1, -1},
        Files.readAllBytes(output()));
  }

  @Test
  void devicesAreWhereTheGuestLooksForThem() throws Exception {
    // Vendor and device of slot 1, in the configuration space of bus 0.
    Code32 code = new Code32().loadEax(0xE000_8000).outEax().powerOff();
    try (VirtualMachine machine =
        machine(code, 1, true, new DeviceOption.Rng("rng0", OptionalInt.empty(), false))) {
      machine.start();
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    }
    assertArrayEquals(new byte[] {(byte) 0xF4, 0x1A, 0x44, 0x10}, Files.readAllBytes(output()));
  }

  /** Prints one digit a boot, and switches off at the third. */
  private static Code32 resetsTwice(int port, int value) {
    Code32 reset = new Code32().outByte(port, value).halt();
    return new Code32()
        .increment(Code32.SCRATCH)
        .loadEax(Code32.SCRATCH)
        .bytes(0x89, 0xC3, 0x04, '0') // mov ebx, eax; add al, '0'
        .bytes(0x66, 0xBA, Code32.COM1, Code32.COM1 >> 8, 0xEE) // mov dx, COM1; out dx, al
        .bytes(0x83, 0xFB, 3, 0x74, reset.size()) // cmp ebx, 3; je over the reset
        .outByte(port, value)
        .halt()
        .powerOff();
  }

  @Test
  void aGuestMayResetTheMachineByEitherPort() throws Exception {
    assertEquals(Machine.Ending.POWER_OFF, run(resetsTwice(0xCF9, 6), true));
    assertEquals("123", printed());
    assertEquals(Machine.Ending.POWER_OFF, run(resetsTwice(0x64, 0xFE), true));
    assertEquals("123", printed());
  }

  @Test
  void aMachineThatMayNotRebootEndsInstead() throws Exception {
    assertEquals(Machine.Ending.RESET_REFUSED, run(resetsTwice(0xCF9, 6), false));
    assertEquals("1", printed());
  }

  @Test
  void lockedMemoryIsRegisteredWithEveryRing() throws Exception {
    assumeTrue("root".equals(System.getProperty("user.name")), "16 MiB may be locked here");
    VirtualMachineConfig config =
        new VirtualMachineConfig(
            config(new Code32().powerOff(), 1, true, true),
            List.of(new IoThreadOption("io0", ContextOptions.MAIN_LOOP)),
            List.of(),
            List.of(),
            List.of(),
            List.of(),
            List.of(new ChardevOption.ToFile(output())));
    List<String> rings;
    try (VirtualMachine machine = VirtualMachine.create(config)) {
      rings = ringsWith(machine.machine().memory().segment());
      machine.start();
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    }
    assertEquals(2, rings.size(), "rings of main loop and iothread: " + rings);
  }

  /** Returns what the kernel tells of the rings that a segment is registered with. */
  private static List<String> ringsWith(MemorySegment memory) throws IOException {
    String buffer = "0x" + Long.toHexString(memory.address()) + "/" + memory.byteSize();
    List<String> rings = new ArrayList<>();
    try (DirectoryStream<Path> descriptors =
        Files.newDirectoryStream(Path.of("/proc/self/fdinfo"))) {
      for (Path descriptor : descriptors) {
        try {
          String info = Files.readString(descriptor);
          if (info.contains(buffer)) {
            rings.add(info);
          }
        } catch (NoSuchFileException e) {
          // Closed since.
        }
      }
    }
    return rings;
  }

  @Test
  void aBusyGuestStopsAndGoesOn() throws Exception {
    Code32 code = new Code32().increment(Code32.SCRATCH).again();
    try (VirtualMachine machine = machine(code, 1, true)) {
      List<String> told = new ArrayList<>();
      machine.control(
          "watch",
          () ->
              machine
                  .machine()
                  .addVmStateNotifier(0, (running, state) -> told.add(running + " " + state)));
      assertEquals(RunState.PRELAUNCH, machine.machine().state());
      machine.start();
      awaitCountOtherThan(machine, 0);
      for (int i = 0; i < 20; i++) {
        machine.stop();
        assertEquals(RunState.PAUSED, machine.machine().state());
        int stopped = count(machine);
        Thread.sleep(5);
        assertEquals(stopped, count(machine), "nothing executes while stopped");
        machine.resume();
        assertEquals(RunState.RUNNING, machine.machine().state());
        awaitCountOtherThan(machine, stopped);
      }
      machine.quit();
      assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
      assertEquals(List.of("true running", "false paused", "true running"), told.subList(0, 3));
      assertEquals(42, told.size());
    }
  }

  @Test
  void aHaltedGuestStopsAndGoesOn() throws Exception {
    try (VirtualMachine machine = machine(new Code32().halt(), 2, true)) {
      machine.start();
      for (int i = 0; i < 20; i++) {
        machine.stop();
        machine.resume();
      }
    }
  }

  @Test
  void aStoppedMachineThatIsResetWaitsInPrelaunch() throws Exception {
    Code32 code = new Code32().increment(Code32.SCRATCH).halt();
    try (VirtualMachine machine = machine(code, 1, true)) {
      machine.start();
      awaitCountOtherThan(machine, 0);
      machine.stop();
      machine.reset();
      assertEquals(RunState.PRELAUNCH, machine.machine().state());
      assertEquals(1, count(machine));
      machine.resume();
      awaitCountOtherThan(machine, 1);
      machine.reset();
      assertEquals(RunState.RUNNING, machine.machine().state());
      awaitCountOtherThan(machine, 2);
    }
  }

  @Test
  void statesThatDoNotFollowAreRefused() throws Exception {
    try (VirtualMachine machine = machine(new Code32().powerOff(), 1, true)) {
      IllegalArgumentException refusal =
          assertThrows(IllegalArgumentException.class, machine::stop);
      assertEquals("a machine in state 'prelaunch' cannot enter 'paused'", refusal.getMessage());
      machine.start();
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
      assertEquals(RunState.SHUTDOWN, machine.machine().state());
      refusal = assertThrows(IllegalArgumentException.class, machine::resume);
      assertEquals(
          "a machine in state 'shutdown' cannot run: reset it first", refusal.getMessage());
    }
  }

  @Test
  void aMachineThatIsSwitchedOffComesBackByAResetAlone() throws Exception {
    try (VirtualMachine machine = machine(new Code32().powerOff(), 1, true)) {
      machine.start();
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
      machine.stop();
      assertEquals(RunState.SHUTDOWN, machine.machine().state());
      assertThrows(IllegalArgumentException.class, machine::resume);
      machine.reset();
      assertEquals(RunState.PRELAUNCH, machine.machine().state());
      machine.resume();
    }
  }

  @Test
  void beforeTheStartThereIsNothingToGoOnWith() throws Exception {
    try (VirtualMachine machine = machine(new Code32().powerOff(), 1, true)) {
      for (Executable call : List.<Executable>of(machine::resume, machine::reset)) {
        IllegalArgumentException refusal = assertThrows(IllegalArgumentException.class, call);
        assertEquals("the machine has not been started", refusal.getMessage());
      }
      assertEquals(RunState.PRELAUNCH, machine.machine().state());
      machine.start();
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    }
  }

  @Test
  void whatEndsBeforeTheStartLeavesTheSerialFileAlone() throws Exception {
    Files.writeString(output(), "the last run");
    try (VirtualMachine machine = machine(new Code32().powerOff(), 1, true)) {
      machine.quit();
      assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
      machine.start();
    }
    assertEquals("the last run", printed());
  }

  @Test
  void whatEndsWhileItWaitsForAPeerLeavesTheSerialFileAlone() throws Exception {
    Files.writeString(output(), "the last run");
    List<ChardevOption> serialPorts =
        List.of(
            new ChardevOption.ToFile(output()),
            new ChardevOption.UnixSocket(directory.resolve("socket"), true, true));
    try (VirtualMachine machine =
        machine(new Code32().powerOff(), 1, true, List.of(), serialPorts)) {
      CompletableFuture<Void> started = new CompletableFuture<>();
      Thread.ofPlatform()
          .start(
              () -> {
                try {
                  machine.start();
                  started.complete(null);
                } catch (IOException | RuntimeException e) {
                  started.completeExceptionally(e);
                }
              });
      machine.quit();
      started.join();
    }
    assertEquals("the last run", printed());
  }

  /** Starts a guest that resets itself, and returns once the reset has begun. */
  private VirtualMachine rebooting(HeldDevice device) throws Exception {
    VirtualMachine machine = machine(resetsTwice(0xCF9, 6), 1, true);
    machine.machine().pci().attach(device);
    machine.start();
    device.resetBegun.join();
    return machine;
  }

  private static CompletableFuture<Void> resetUnderWay(VirtualMachine machine) {
    return machine.control("reset", machine.machine()::reset);
  }

  @Test
  void theEndOfAMachineIsNotUndoneByAReset() throws Exception {
    HeldDevice device = new HeldDevice();
    try (VirtualMachine machine = rebooting(device)) {
      CompletableFuture<Void> reset = resetUnderWay(machine);
      machine.quit();
      assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
      device.goOn.complete(null);
      reset.join();
      assertEquals(RunState.PRELAUNCH, machine.machine().state());
      IllegalArgumentException refusal =
          assertThrows(IllegalArgumentException.class, machine::resume);
      assertEquals("the machine has come to its end", refusal.getMessage());
    }
    assertEquals("1", printed());
  }

  @Test
  void closingWaitsForAReset() throws Exception {
    HeldDevice device = new HeldDevice();
    VirtualMachine machine = rebooting(device);
    CompletableFuture<Void> reset = resetUnderWay(machine);
    CompletableFuture<Void> closed = CompletableFuture.runAsync(machine::close);
    assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
    assertFalse(closed.isDone());
    device.goOn.complete(null);
    closed.join();
    assertTrue(reset.isDone());
    assertEquals("1", printed());
  }

  @Test
  void aResettingMachineCanBeStoppedAndToldToGoOn() throws Exception {
    HeldDevice device = new HeldDevice();
    try (VirtualMachine machine = rebooting(device)) {
      machine.stop();
      CompletableFuture<Void> reset = resetUnderWay(machine);
      device.goOn.complete(null);
      reset.join();
      assertEquals(RunState.PRELAUNCH, machine.machine().state());
      machine.resume();
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    }
    assertEquals("123", printed());

    HeldDevice other = new HeldDevice();
    try (VirtualMachine machine = rebooting(other)) {
      machine.stop();
      machine.resume();
      other.goOn.complete(null);
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    }
    assertEquals("123", printed());
  }

  @Test
  void anIoErrorWhileResettingKeepsTheGuestFromRunning() throws Exception {
    HeldDevice device = new HeldDevice();
    try (VirtualMachine machine = rebooting(device)) {
      machine.machine().requestStop(RunState.IO_ERROR);
      CompletableFuture<Void> reset = resetUnderWay(machine);
      device.goOn.complete(null);
      reset.join();
      assertEquals(RunState.PRELAUNCH, machine.machine().state());
    }
    assertEquals("1", printed());
  }

  @Test
  void aDeviceThatCannotBeResetEndsTheMachine() throws Exception {
    HeldDevice device = new HeldDevice();
    try (VirtualMachine machine = rebooting(device)) {
      CompletableFuture<Void> reset = resetUnderWay(machine);
      device.goOn.completeExceptionally(new IllegalStateException("on purpose"));
      assertEquals(Machine.Ending.FAILURE, machine.awaitEnd());
      assertThrows(CompletionException.class, reset::join);
    }
  }

  @Test
  void aClosedMachineSaysSo() throws Exception {
    VirtualMachine machine = machine(new Code32().halt(), 1, true);
    machine.start();
    machine.close();
    machine.close();
    machine.quit();
    assertEquals(Machine.Ending.QUIT, machine.awaitEnd());
    for (Executable call :
        List.<Executable>of(machine::start, machine::stop, machine::resume, machine::reset)) {
      IllegalStateException refusal = assertThrows(IllegalStateException.class, call);
      assertEquals("the machine has been closed", refusal.getMessage());
    }
  }

  @Test
  void whatKvmCannotExecuteEndsInInternalError() throws Exception {
    // A jump to where there is no memory to fetch instructions from.
    Code32 code = new Code32().setEax(0xD000_0000).bytes(0xFF, 0xE0);
    try (VirtualMachine machine = machine(code, 1, true)) {
      machine.start();
      assertEquals(Machine.Ending.FAILURE, machine.awaitEnd());
      assertEquals(RunState.INTERNAL_ERROR, machine.machine().state());
    }
  }

  private static int count(VirtualMachine machine) {
    return machine.machine().memory().readInt(Code32.SCRATCH);
  }

  private static void awaitCountOtherThan(VirtualMachine machine, int count) {
    while (count(machine) == count) {
      Thread.yield();
    }
  }
}

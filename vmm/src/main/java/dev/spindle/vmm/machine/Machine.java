// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.aio.Outcome;
import dev.spindle.devices.irq.IoEventFds;
import dev.spindle.devices.irq.MsiRouter;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.pci.PciHostBridge;
import dev.spindle.devices.platform.PciHotplug;
import dev.spindle.devices.platform.PlatformLayout;
import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.Uart16550;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.kvm.CpuidEntry;
import dev.spindle.linux.kvm.Kvm;
import dev.spindle.linux.kvm.KvmCap;
import dev.spindle.vmm.acpi.AcpiTables;
import dev.spindle.vmm.boot.AddressMap;
import dev.spindle.vmm.boot.BootLoader;
import dev.spindle.vmm.boot.EntryState;
import dev.spindle.vmm.boot.LowMemory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtual machine: memory, vCPUs, chipset, and the devices added to it.
 *
 * <p>Except where a method says otherwise, everything here is control work of the {@link MainLoop}.
 * Serial ports are added before {@link #start}.
 */
public final class Machine implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Machine.class);

  /** Why a machine has come to its end. */
  public enum Ending {
    /** The guest switched itself off. */
    POWER_OFF,
    /** The guest reset itself, which this machine does not allow. */
    RESET_REFUSED,
    /** KVM could not go on, or the machine could not be reset; the log says why. */
    FAILURE,
    /** Whoever controls the machine wanted it. */
    QUIT
  }

  private final MachineConfig config;
  private final MainLoop loop;
  private final Kvm kvm;
  private final GuestMemory memory;
  private final BootLoader boot;
  private final GsiRouting routing;
  private final KvmIoEventFds doorbells = new KvmIoEventFds();
  private final VirtualClock guestTime = new VirtualClock(System::nanoTime);
  private final PowerRequests requests;
  private final Chipset chipset;
  private final KvmHardware.Blueprint blueprint;
  private final VmStateNotifiers notifiers = new VmStateNotifiers();

  /** Told in order of adding. */
  private final List<MachineListener> listeners = new CopyOnWriteArrayList<>();

  private final CompletableFuture<Ending> ending = new CompletableFuture<>();

  /** Null before {@link #start}. Under the control lock. */
  private KvmHardware hardware;

  /** Written under the control lock. */
  private volatile RunState state = RunState.PRELAUNCH;

  /** The reset that has begun and not yet ended, or null. Under the control lock. */
  private CompletableFuture<Void> pendingReset;

  /** Whether the guest is to run once {@link #pendingReset} is done. Under the control lock. */
  private boolean runAfterReset;

  /** Whether the machine has come to its end since its last reset. Under the control lock. */
  private boolean ended;

  /** The guest's kvmclock while stopped, in nanoseconds. Under the control lock. */
  private long stoppedClock;

  private Machine(MachineConfig config, MainLoop loop, Kvm kvm, BootLoader boot, GuestMemory memory)
      throws LinuxException {
    this.config = config;
    this.loop = loop;
    this.kvm = kvm;
    this.boot = boot;
    this.memory = memory;
    this.routing = new GsiRouting(KvmHardware.routableInterrupts(kvm));
    this.requests = new PowerRequests(loop, this);
    GuestMemory.Region last = memory.regions().getLast();
    this.chipset = new Chipset(last.address() + last.size(), routing::line, requests, guestTime);
    CpuidFilter filter =
        new CpuidFilter(
            kvm.supportedCpuid(),
            config.cpus(),
            kvm.checkExtension(KvmCap.TSC_DEADLINE_TIMER) != 0);
    List<List<CpuidEntry>> cpuid = new ArrayList<>();
    for (int id = 0; id < config.cpus(); id++) {
      cpuid.add(filter.forVcpu(id));
    }
    this.blueprint =
        new KvmHardware.Blueprint(
            kvm, memory, cpuid, chipset.ports(), chipset.memory(), routing, doorbells, requests);
  }

  /**
   * Makes a machine without devices of its own, in state {@code prelaunch}: opens what is to be
   * booted, takes the memory, and opens KVM, last, so that what the user asked for is refused alike
   * on every host. If anything is wrong, nothing remains.
   *
   * @throws KvmException if it is KVM that refuses
   * @throws IOException with a sentence for the user
   */
  public static Machine create(MachineConfig config, MainLoop loop) throws IOException {
    Closer closer = new Closer();
    try {
      BootLoader boot =
          closer.add(BootLoader.open(config.kernel(), config.initrd(), config.commandLine()));
      GuestMemory memory = closer.add(HostMemory.allocate(config));
      boot.checkFits(new GuestBootMemory(memory));
      if (config.memoryLocked()) {
        memory.lock();
      }
      return create(config, loop, boot, memory, closer);
    } catch (IOException | RuntimeException e) {
      closer.close();
      throw e;
    }
  }

  private static Machine create(
      MachineConfig config, MainLoop loop, BootLoader boot, GuestMemory memory, Closer closer)
      throws KvmException {
    try {
      return new Machine(config, loop, closer.add(Kvm.open()), boot, memory);
    } catch (LinuxException e) {
      throw new KvmException(e);
    }
  }

  /** Returns what the machine was made from. Any thread. */
  public MachineConfig config() {
    return config;
  }

  /** Returns the loop whose control work this machine is for. Any thread. */
  public MainLoop loop() {
    return loop;
  }

  /** Returns the guest's RAM. Any thread. */
  public GuestMemory memory() {
    return memory;
  }

  /** Returns the bridge to attach PCI devices to. Any thread. */
  public PciHostBridge pci() {
    return chipset.bridge();
  }

  /** Returns what tells the guest of PCI devices that come and go. Any thread. */
  PciHotplug hotplug() {
    return chipset.hotplug();
  }

  /**
   * Waits until no vCPU is any more at an access that it has begun: none then uses a device that
   * has been taken off its bus before.
   */
  void awaitAccesses() {
    loop.assertControl();
    if (state.isRunning()) {
      hardware.pause();
      hardware.resume();
    }
  }

  /** Returns the way from devices to message-signalled interrupts. Any thread. */
  public MsiRouter msiRouter() {
    return routing;
  }

  /** Returns the way from the guest to devices' doorbells. Any thread. */
  public IoEventFds ioEventFds() {
    return doorbells;
  }

  /** Adds the next serial port, COM1 first; at most two, before {@link #start}. */
  public Uart16550 addSerialPort(SerialSink sink) {
    loop.assertControl();
    return chipset.addSerialPort(sink);
  }

  /**
   * Has {@code notifier} told whenever the vCPUs stop and start: with a higher priority earlier
   * when they stop, and later when they start.
   *
   * @return closing it ends that
   */
  public AutoCloseable addVmStateNotifier(int priority, VmStateNotifier notifier) {
    loop.assertControl();
    return notifiers.add(priority, notifier);
  }

  /** Has somebody told what happens to the machine. */
  public void listen(MachineListener listener) {
    loop.assertControl();
    listeners.add(listener);
  }

  /** The numbers that the vCPUs' threads have on the host; none before {@link #start}. */
  public List<Integer> vcpuThreadIds() {
    loop.assertControl();
    return hardware == null ? List.of() : hardware.threadIds();
  }

  /** Returns what the machine is doing. Any thread. */
  public RunState state() {
    return state;
  }

  /** Returns what completes, on the main loop, when the machine has come to its end. Any thread. */
  public CompletableFuture<Ending> ending() {
    return ending;
  }

  /**
   * Loads the kernel and lets the vCPUs run.
   *
   * @throws IOException with a sentence for the user; the machine can only be closed then
   */
  public void start() throws IOException {
    loop.assertControl();
    if (hardware != null) {
      throw new IllegalStateException("the machine has been started before");
    }
    build();
    vmStart();
  }

  /**
   * Stops the vCPUs, if they run, and enters {@code reason}; notifiers have been told on return. A
   * machine that is being reset stays in {@code prelaunch} instead, and one that only a reset can
   * bring back stays as it is.
   *
   * @throws IllegalArgumentException if {@code reason} cannot follow the present state
   */
  public void vmStop(RunState reason) {
    loop.assertControl();
    if (pendingReset != null) {
      runAfterReset = false;
      return;
    }
    // Were it paused, it could be told to go on.
    if (state == reason || state == RunState.SHUTDOWN || state == RunState.INTERNAL_ERROR) {
      return;
    }
    RunState before = state;
    enter(reason);
    if (before.isRunning()) {
      quiesce();
    }
  }

  /**
   * Lets the vCPUs go on, after the reset if there is one under way.
   *
   * @throws IllegalArgumentException if the present state does not allow it
   */
  public void vmStart() {
    loop.assertControl();
    if (state.isRunning()) {
      return;
    }
    if (!state.successors().contains(RunState.RUNNING)) {
      throw new IllegalArgumentException(
          "a machine in state '" + state + "' cannot run: reset it first");
    }
    if (ended) {
      throw new IllegalArgumentException("the machine has come to its end");
    }
    requireHardware();
    if (pendingReset != null) {
      runAfterReset = true;
      return;
    }
    enter(RunState.RUNNING);
    unquiesce();
  }

  /**
   * Asks for {@link #vmStop} soon. Any thread, also one that {@link #vmStop} waits for. Nothing
   * happens if the machine neither runs by then nor will after a reset.
   */
  public void requestStop(RunState reason) {
    requests.post("vm-stop", machine -> machine.stopIfRunning(reason));
  }

  /** Has {@code action} done as control work soon. Any thread; does not wait. */
  void post(String what, Consumer<Machine> action) {
    requests.post(what, action);
  }

  /** Presses the power button: a guest that listens shuts down. Any thread. */
  public void pressPowerButton() {
    listeners.forEach(MachineListener::powerButtonPressed);
    chipset.power().pressPowerButton();
  }

  /**
   * Starts the guest anew: devices in their state after power-on, kernel loaded again, vCPUs at its
   * entry. A running machine goes on running, a stopped one is in {@code prelaunch} then. While a
   * reset is under way, this is that one.
   *
   * @return completes when that is done, or the machine has come to its end meanwhile;
   *     exceptionally, with an {@link IOException} if the kernel cannot be loaded again, and the
   *     machine has come to its end then
   * @throws IllegalArgumentException if the machine has not been started, or could not be reset
   *     before
   */
  public CompletableFuture<Void> reset() {
    return reset(false);
  }

  private CompletableFuture<Void> reset(boolean byGuest) {
    loop.assertControl();
    if (pendingReset != null) {
      return pendingReset;
    }
    requireHardware();
    runAfterReset = state.isRunning();
    enter(RunState.PRELAUNCH);
    if (runAfterReset) {
      quiesce();
    }
    ended = false;
    CompletableFuture<Void> done = new CompletableFuture<>();
    pendingReset = done;
    // Devices become quiet through control work of their own, for which this one has to end.
    Thread.ofPlatform()
        .name("machine-reset")
        .daemon()
        .start(
            () -> {
              CompletableFuture<Void> devices = resetDevices();
              loop.start("rebuild", () -> rebuild(devices, byGuest))
                  .whenComplete(
                      (result, failure) -> {
                        if (failure == null) {
                          done.complete(null);
                        } else {
                          done.completeExceptionally(failure);
                        }
                      });
            });
    return done;
  }

  /** Returns what completes, in whatever way, when no reset is under way any more. */
  CompletableFuture<Void> resetDone() {
    loop.assertControl();
    return pendingReset == null
        ? CompletableFuture.completedFuture(null)
        : pendingReset.exceptionally(failure -> null);
  }

  private CompletableFuture<Void> resetDevices() {
    try {
      chipset.reset();
      return CompletableFuture.completedFuture(null);
    } catch (RuntimeException | Error e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  /** The second half of a reset, once devices have been reset. */
  private Void rebuild(CompletableFuture<Void> devices, boolean byGuest) throws IOException {
    try {
      Outcome.<Void, IOException>of(devices);
      // Who has ended the machine meanwhile closes it next.
      if (!ended) {
        KvmHardware old = hardware;
        hardware = null;
        old.close();
        requests.clear();
        build();
        pendingReset = null;
        listeners.forEach(listener -> listener.reset(byGuest));
        if (runAfterReset) {
          vmStart();
        }
      }
    } catch (IOException e) {
      LOG.error("{} cannot be reset: {}", config.name(), e.getMessage());
      end(Ending.FAILURE);
      throw e;
    } catch (RuntimeException | Error e) {
      LOG.error("{} cannot be reset: an error of Spindle's own", config.name(), e);
      end(Ending.FAILURE);
      throw e;
    } finally {
      pendingReset = null;
    }
    return null;
  }

  /** Brings the machine to its end: stops the vCPUs and completes {@link #ending}. */
  public void quit() {
    loop.assertControl();
    stopIfRunning(RunState.PAUSED);
    end(Ending.QUIT);
  }

  /**
   * Ends the vCPUs and gives everything back, memory included. Devices have been closed before, and
   * nothing of theirs is in flight.
   */
  @Override
  public void close() {
    loop.assertControl();
    stopIfRunning(RunState.PAUSED);
    if (hardware != null) {
      hardware.close();
    }
    chipset.close();
    memory.close();
    kvm.close();
    try {
      boot.close();
    } catch (IOException e) {
      LOG.warn("the kernel's files cannot be closed: {}", e.getMessage());
    }
  }

  /** The guest has switched itself off. */
  void guestShutDown() {
    stopIfRunning(RunState.SHUTDOWN);
    LOG.info("{} is switched off", config.name());
    end(Ending.POWER_OFF);
  }

  /** The guest wants to be reset. */
  void guestReset(String reason) {
    if (ended) {
      // It asked before it was stopped for good.
      return;
    }
    LOG.info("{} is reset: {}", config.name(), reason);
    if (!config.rebootAllowed()) {
      stopIfRunning(RunState.SHUTDOWN);
      end(Ending.RESET_REFUSED);
      return;
    }
    reset(true);
  }

  /** A vCPU cannot go on. */
  void internalError(String sentence, String registers) {
    LOG.error("{}{}", sentence, registers);
    stopIfRunning(RunState.INTERNAL_ERROR);
    end(Ending.FAILURE);
  }

  private void stopIfRunning(RunState reason) {
    if (state.isRunning() || pendingReset != null) {
      vmStop(reason);
    }
  }

  /** The machine, stopped by now, has come to its end; a reset under way does not undo that. */
  private void end(Ending how) {
    if (!ended) {
      ended = true;
      listeners.forEach(listener -> listener.ended(how));
    }
    ending.complete(how);
  }

  private void requireHardware() {
    if (hardware == null) {
      throw new IllegalArgumentException(
          ended ? "the machine has come to its end" : "the machine has not been started");
    }
  }

  private void enter(RunState next) {
    if (!state.successors().contains(next) && state != next) {
      throw new IllegalArgumentException(
          "a machine in state '" + state + "' cannot enter '" + next + "'");
    }
    LOG.debug("{}: {} -> {}", config.name(), state, next);
    state = next;
  }

  /** Stops vCPUs and clocks, then tells everybody. */
  private void quiesce() {
    hardware.pause();
    guestTime.stop();
    try {
      stoppedClock = hardware.stopClock();
    } catch (LinuxException e) {
      LOG.warn("the guest's clock will jump: {}", e.getMessage());
    }
    notifiers.notify(false, state);
  }

  /** Tells everybody, then lets clocks and vCPUs go on. */
  private void unquiesce() {
    notifiers.notify(true, state);
    try {
      if (stoppedClock != 0) {
        hardware.startClock(stoppedClock);
        stoppedClock = 0;
      }
    } catch (LinuxException e) {
      LOG.warn("the guest's clock has jumped: {}", e.getMessage());
    }
    guestTime.start();
    hardware.resume();
  }

  /** Puts devices, memory and vCPUs into the state a kernel starts from. */
  private void build() throws IOException {
    stoppedClock = 0;
    chipset.assignResources();
    GuestBootMemory bootMemory = new GuestBootMemory(memory);
    AcpiTables tables = AcpiTables.build(chipset.describe(config.cpus()), LowMemory.FIRMWARE);
    memory.write(tables.rootPointer(), tables.image());
    EntryState entry = boot.load(bootMemory, addressMap(bootMemory), tables.rootPointer());
    hardware = KvmHardware.create(blueprint, entry);
  }

  private static AddressMap addressMap(GuestBootMemory memory) {
    return AddressMap.of(
        memory,
        List.of(
            new AddressMap.Entry(
                PlatformLayout.PCI_ECAM.base(),
                PlatformLayout.PCI_ECAM.length(),
                AddressMap.RESERVED),
            new AddressMap.Entry(
                KvmHardware.PRIVATE_PAGES, KvmHardware.PRIVATE_PAGES_SIZE, AddressMap.RESERVED)));
  }
}

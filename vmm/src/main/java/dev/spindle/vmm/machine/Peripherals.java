// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.devices.pci.PciHostBridge;
import dev.spindle.devices.virtio.VirtioDevice;
import dev.spindle.devices.virtio.VirtioPciOptions;
import dev.spindle.devices.virtio.VirtioPciTransport;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.devices.virtio.rng.VirtioRngDevice;
import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A machine's devices on PCI: QOM's {@code /machine/peripheral}. They are made with the machine or
 * plugged into it later, and go with it or when the guest ejects them, of its own accord or asked
 * to.
 *
 * <p>An ejected device leaves its slot at once, on the vCPU that ejects it; then it comes to rest,
 * and then control work lets go of its disk and forgets it.
 */
public final class Peripherals implements ObjectTree.Devices, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Peripherals.class);
  private static final int CLASS_DISK = 0x01_0000;
  private static final int CLASS_OTHER = 0x00_FF00;
  private static final int DISK_PRIORITY = 0;

  private final Machine machine;
  private final BlockLayer blockLayer;
  private final List<DiskErrorReports.Listener> errorListeners = new CopyOnWriteArrayList<>();
  private final List<Consumer<String>> deletionListeners = new CopyOnWriteArrayList<>();

  /** By id, in the order of plugging. Never changed, but exchanged by control work. */
  private volatile Map<String, Peripheral> all = Map.of();

  /** By PCI slot, without those that have been ejected. With its own lock. */
  private final Peripheral[] slots = new Peripheral[PciHostBridge.SLOTS];

  /** Whether the whole machine goes, so that nobody need be told of its parts. Control side. */
  private boolean closing;

  /** A device, and all that it holds. */
  private static final class Peripheral {
    final DeviceOption option;
    final Optional<VirtioBlkDevice> disk;
    final VirtioPciTransport transport;
    final int slot;
    final Closer holds;

    /** Completed when nothing remains of it. */
    final CompletableFuture<Void> gone = new CompletableFuture<>();

    Peripheral(
        DeviceOption option,
        Optional<VirtioBlkDevice> disk,
        VirtioPciTransport transport,
        int slot,
        Closer holds) {
      this.option = option;
      this.disk = disk;
      this.transport = transport;
      this.slot = slot;
      this.holds = holds;
    }

    /** As it is now: commands and jobs may have changed what its disk shows. Control side. */
    DeviceOption option() {
      return option instanceof DeviceOption.Disk made && disk.isPresent()
          ? made.withDrive(disk.get().backend().node().name())
          : option;
    }
  }

  Peripherals(Machine machine, BlockLayer blockLayer) {
    this.machine = machine;
    this.blockLayer = blockLayer;
    machine.hotplug().ejectBy(this::eject);
  }

  /** Has somebody told of I/O errors. Any thread. */
  public void listen(DiskErrorReports.Listener listener) {
    errorListeners.add(listener);
  }

  /** Has somebody told, by control work, the ids of devices that are gone. Any thread. */
  public void onDeleted(Consumer<String> listener) {
    deletionListeners.add(listener);
  }

  /** In the order of making. */
  @Override
  public List<DeviceOption> options() {
    return all.values().stream().map(Peripheral::option).toList();
  }

  @Override
  public void changeDrive(String id, String nodeName) throws BlockException {
    VirtioBlkDevice disk = disk(id).orElseThrow(() -> notFound(id));
    disk.changeNode(blockLayer.graph().find(nodeName));
    LOG.debug("{} shows node {}", id, nodeName);
  }

  private static BlockException notFound(String id) {
    return new BlockException("Device '" + id + "' not found");
  }

  /** The disks, in the order of making. Any thread. */
  public List<VirtioBlkDevice> disks() {
    return all.values().stream().flatMap(peripheral -> peripheral.disk.stream()).toList();
  }

  /** The disk of that id, if there is one. Any thread. */
  public Optional<VirtioBlkDevice> disk(String id) {
    return Optional.ofNullable(all.get(id)).flatMap(peripheral -> peripheral.disk);
  }

  /** Whether there is such a device. Any thread. */
  public boolean contains(String id) {
    return all.containsKey(id);
  }

  /** The id of the device in a PCI slot. Any thread. */
  public Optional<String> in(int slot) {
    synchronized (slots) {
      return Optional.ofNullable(slots[slot]).map(peripheral -> peripheral.option.id());
    }
  }

  /**
   * Makes a device and puts it into its slot. A guest that runs is told. Control side.
   *
   * @throws BlockException if the id or the slot is taken, or the disk cannot be had; nothing
   *     remains then
   * @throws IOException if the host does not give what it needs; likewise
   */
  public void plug(DeviceOption option) throws IOException {
    machine.loop().assertControl();
    if (contains(option.id())) {
      throw new BlockException("Duplicate device ID '" + option.id() + "'");
    }
    int slot = choose(option);
    Closer holds = new Closer();
    try {
      plug(option, slot, holds);
    } catch (IllegalStateException e) {
      // KVM's routes or doorbells have run out.
      holds.close();
      throw new IOException("device '" + option.id() + "': " + e.getMessage(), e);
    } catch (IOException | RuntimeException e) {
      holds.close();
      throw e;
    }
    machine.hotplug().plugged(slot);
    LOG.debug("{} is in PCI slot {}", option.id(), slot);
  }

  private void plug(DeviceOption option, int slot, Closer holds) throws IOException {
    Peripheral made =
        switch (option) {
          case DeviceOption.Disk disk -> {
            VirtioBlkDevice device = makeDisk(disk, holds);
            VirtioPciTransport transport =
                makeTransport(
                    device,
                    VirtioPciOptions.of(disk.id(), CLASS_DISK, device).withPacked(disk.packed()),
                    holds);
            yield new Peripheral(option, Optional.of(device), transport, slot, holds);
          }
          case DeviceOption.Rng rng -> {
            VirtioDevice device = new VirtioRngDevice(machine.loop().context());
            VirtioPciTransport transport =
                makeTransport(
                    device,
                    VirtioPciOptions.of(rng.id(), CLASS_OTHER, device).withPacked(rng.packed()),
                    holds);
            yield new Peripheral(option, Optional.empty(), transport, slot, holds);
          }
        };
    synchronized (slots) {
      machine.pci().attach(slot, made.transport);
      slots[slot] = made;
    }
    Map<String, Peripheral> more = new LinkedHashMap<>(all);
    more.put(option.id(), made);
    all = Collections.unmodifiableMap(more);
  }

  /** Only control work attaches, so the slot stays free. */
  private int choose(DeviceOption option) throws BlockException {
    OptionalInt wanted = option.slot();
    if (wanted.isEmpty()) {
      return machine
          .pci()
          .freeSlot()
          .orElseThrow(
              () ->
                  new BlockException(
                      "PCI: no slot/function available for %s, all in use or reserved"
                          .formatted(option.driver())));
    }
    int slot = wanted.getAsInt();
    if (!machine.pci().isFree(slot)) {
      throw new BlockException(
          "PCI: slot %d function 0 not available for %s, in use%s"
              .formatted(slot, option.driver(), in(slot).map(id -> " by " + id).orElse("")));
    }
    return slot;
  }

  private VirtioBlkDevice makeDisk(DeviceOption.Disk option, Closer holds) throws BlockException {
    VirtioBlkDevice disk = blockLayer.makeDisk(option);
    holds.add(() -> letGo(disk));
    disk.onIoError(new DiskErrorReports(machine, disk, errorListeners));
    // It works while the machine runs.
    if (!machine.state().isRunning()) {
      disk.quiesce();
    }
    holds.add(
        machine.addVmStateNotifier(
            DISK_PRIORITY, (running, state) -> followRunState(disk, running)));
    return disk;
  }

  private void letGo(VirtioBlkDevice disk) throws BlockException {
    Optional<ThrottleGroup> group = Optional.ofNullable(disk.backend().throttleGroup());
    disk.close();
    blockLayer.leftThrottleGroup(group);
  }

  /** Each drive quiesces its own requests and nobody else's. */
  private static void followRunState(VirtioBlkDevice disk, boolean running) {
    if (running) {
      disk.clearIoStatus();
      disk.resume();
    } else {
      disk.quiesce();
    }
  }

  private VirtioPciTransport makeTransport(
      VirtioDevice device, VirtioPciOptions options, Closer holds) throws IOException {
    return holds.add(
        new VirtioPciTransport(
            device, options, machine.memory(), machine.msiRouter(), machine.ioEventFds()));
  }

  /**
   * Asks the guest to eject a device: it goes when the guest has done so, or with the next reset.
   * Control side.
   *
   * @throws BlockException if there is none, or the guest has been asked and has not looked since
   */
  public void requestUnplug(String id) throws BlockException {
    machine.loop().assertControl();
    Peripheral peripheral = all.get(id);
    if (peripheral == null) {
      throw notFound(id);
    }
    if (in(peripheral.slot).filter(id::equals).isEmpty()
        || !machine.hotplug().requestEject(peripheral.slot)) {
      throw new BlockException("Device " + id + " is already in the process of unplug");
    }
  }

  /** Any thread; does not wait. */
  private CompletableFuture<Void> eject(int slot) {
    Peripheral peripheral;
    synchronized (slots) {
      peripheral = slots[slot];
      if (peripheral == null) {
        return CompletableFuture.completedFuture(null);
      }
      slots[slot] = null;
      machine.pci().detach(slot);
    }
    CompletableFuture<Void> rest = peripheral.transport.end();
    rest.whenComplete(
        (nothing, failure) ->
            machine
                .loop()
                .start(
                    "unplug-" + peripheral.option.id(),
                    () -> {
                      letGo(peripheral);
                      return null;
                    }));
    return rest;
  }

  private void letGo(Peripheral peripheral) {
    String id = peripheral.option.id();
    try {
      machine.awaitAccesses();
      peripheral.holds.close();
    } catch (RuntimeException e) {
      LOG.error("{} is gone, but not all that it held", id, e);
    } finally {
      Map<String, Peripheral> fewer = new LinkedHashMap<>(all);
      fewer.remove(id);
      all = Collections.unmodifiableMap(fewer);
      if (!closing) {
        deletionListeners.forEach(listener -> listener.accept(id));
      }
      peripheral.gone.complete(null);
    }
  }

  /** Takes all devices out of a machine whose vCPUs stand still for good. Not on control side. */
  @Override
  public void close() {
    List<Peripheral> last =
        machine
            .loop()
            .control(
                "unplug-all",
                () -> {
                  closing = true;
                  return List.copyOf(all.values());
                });
    for (Peripheral peripheral : last.reversed()) {
      eject(peripheral.slot);
      peripheral.gone.join();
    }
  }
}

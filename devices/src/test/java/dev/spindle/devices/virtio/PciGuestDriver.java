// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.irq.FakeIrqLine;
import dev.spindle.devices.irq.FakeMsiRouter;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.pci.PciEcam;
import dev.spindle.devices.pci.PciHostBridge;
import dev.spindle.devices.pci.PciWindows;
import dev.spindle.devices.platform.PlatformLayout;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestArea;
import dev.spindle.linux.EventFd;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A machine with one virtio device on its PCI bus, and a guest's modern driver for it, which finds
 * its way as Linux' virtio_pci_modern does: by the capability list alone.
 */
final class PciGuestDriver implements AutoCloseable {
  static final int COMMON = 1;
  static final int NOTIFY = 2;
  static final int ISR = 3;
  static final int DEVICE = 4;
  static final int PCI = 5;

  /** One virtio structure, where its capability says it is. */
  record Structure(int capability, int bar, long offset, long length) {}

  final Bus memoryBus = new Bus("memory");
  final Bus ports = new Bus("port");
  final List<FakeIrqLine> lines = Stream.generate(FakeIrqLine::new).limit(4).toList();
  final PciHostBridge bridge =
      new PciHostBridge(
          ports,
          memoryBus,
          new PciWindows(
              PlatformLayout.PCI_PORTS,
              PlatformLayout.PCI_MEMORY32,
              PlatformLayout.pciMemory64(0x1_4000_0000L)),
          lines);
  final FakeMsiRouter msi = new FakeMsiRouter();
  final FakeIoEventFds ioEventFds = new FakeIoEventFds();
  final EchoDevice device = new EchoDevice();
  final GuestMemory memory = GuestMemory.allocate(1 << 20);
  final GuestArea area = new GuestArea(memory, 0x1000, (1 << 20) - 0x1000);
  final VirtioPciTransport transport;
  final int slot;
  final Map<Integer, Structure> structures = new HashMap<>();
  final List<DriverQueue> queues = new ArrayList<>();

  PciGuestDriver() throws IOException {
    transport =
        new VirtioPciTransport(
            device,
            VirtioPciOptions.of("echo0", 0x00ff00, device).withPacked(true),
            memory,
            msi,
            ioEventFds);
    memoryBus.add(PlatformLayout.PCI_ECAM, new PciEcam(bridge));
    slot = bridge.attach(transport);
    bridge.assignResources();
    findStructures();
  }

  @Override
  public void close() {
    bridge.detach(slot);
    transport.close();
    memory.close();
  }

  // ---- Configuration space -------------------------------------------------------------------

  long config(int register, int size) {
    return memoryBus.read(configAddress(register), size);
  }

  void setConfig(int register, int size, long value) {
    memoryBus.write(configAddress(register), size, value);
  }

  private long configAddress(int register) {
    return PlatformLayout.PCI_ECAM.base() + ((long) slot << 15) + register;
  }

  private void findStructures() {
    for (int at = (int) config(0x34, 1); at != 0; at = (int) config(at + 1, 1)) {
      if (config(at, 1) == 0x09) {
        structures.putIfAbsent(
            (int) config(at + 3, 1),
            new Structure(at, (int) config(at + 4, 1), config(at + 8, 4), config(at + 12, 4)));
      }
    }
  }

  long barAddress(int bar) {
    long low = config(0x10 + 4 * bar, 4);
    long high = (low & 6) == 4 ? config(0x14 + 4 * bar, 4) : 0;
    return (low & ~0xfL) | high << 32;
  }

  long address(int structure) {
    Structure where = structures.get(structure);
    return barAddress(where.bar()) + where.offset();
  }

  // ---- Registers -----------------------------------------------------------------------------

  long common(int register, int size) {
    return memoryBus.read(address(COMMON) + register, size);
  }

  void setCommon(int register, int size, long value) {
    memoryBus.write(address(COMMON) + register, size, value);
  }

  int status() {
    return (int) common(CommonConfig.STATUS, 1);
  }

  void setStatus(int value) {
    setCommon(CommonConfig.STATUS, 1, value);
  }

  long deviceFeatures() {
    setCommon(CommonConfig.DEVICE_FEATURE_SELECT, 4, 0);
    long low = common(CommonConfig.DEVICE_FEATURE, 4);
    setCommon(CommonConfig.DEVICE_FEATURE_SELECT, 4, 1);
    return low | common(CommonConfig.DEVICE_FEATURE, 4) << 32;
  }

  void setDriverFeatures(long features) {
    setCommon(CommonConfig.DRIVER_FEATURE_SELECT, 4, 0);
    setCommon(CommonConfig.DRIVER_FEATURE, 4, features & 0xffff_ffffL);
    setCommon(CommonConfig.DRIVER_FEATURE_SELECT, 4, 1);
    setCommon(CommonConfig.DRIVER_FEATURE, 4, features >>> 32);
  }

  void selectQueue(int index) {
    setCommon(CommonConfig.QUEUE_SELECT, 2, index);
  }

  void setAddress(int register, long value) {
    setCommon(register, 4, value & 0xffff_ffffL);
    setCommon(register + 4, 4, value >>> 32);
  }

  // ---- The driver ----------------------------------------------------------------------------

  /** From reset to features agreed on; returns whether the device agreed. */
  boolean negotiate(long features) {
    setStatus(0);
    setStatus(DeviceStatus.ACKNOWLEDGE);
    setStatus(status() | DeviceStatus.DRIVER);
    setDriverFeatures(features);
    setStatus(status() | DeviceStatus.FEATURES_OK);
    return (status() & DeviceStatus.FEATURES_OK) != 0;
  }

  /** Programs MSI-X: vector i sends message 0x4000 + i. */
  void enableMsix() {
    long table = barAddress(1);
    for (int i = 0; i < 3; i++) {
      memoryBus.write(table + 16L * i, 4, 0xfee0_0000L);
      memoryBus.write(table + 16L * i + 4, 4, 0);
      memoryBus.write(table + 16L * i + 8, 4, 0x4000 + i);
      memoryBus.write(table + 16L * i + 12, 4, 0);
    }
    for (int at = (int) config(0x34, 1); at != 0; at = (int) config(at + 1, 1)) {
      if (config(at, 1) == 0x11) {
        setConfig(at + 2, 2, 0x8000);
      }
    }
  }

  /** Lays out both queues and enables them. */
  void setUpQueues(long features) {
    queues.clear();
    for (int i = 0; i < 2; i++) {
      DriverQueue queue = DriverQueue.create(area, i, 8, EchoDevice.QUEUE_SIZE, features);
      queues.add(queue);
      selectQueue(i);
      setCommon(CommonConfig.QUEUE_SIZE, 2, 8);
      setAddress(CommonConfig.QUEUE_DESC, queue.config().descriptorArea());
      setAddress(CommonConfig.QUEUE_DRIVER, queue.config().driverArea());
      setAddress(CommonConfig.QUEUE_DEVICE, queue.config().deviceArea());
      setCommon(CommonConfig.QUEUE_VECTOR, 2, i + 1);
      setCommon(CommonConfig.QUEUE_ENABLE, 2, 1);
    }
  }

  /** All the way to a running device, with MSI-X: configuration changes on 0, queue i on i + 1. */
  void start(long features) {
    negotiate(features);
    enableMsix();
    setCommon(CommonConfig.CONFIG_VECTOR, 2, 0);
    setUpQueues(features);
    setStatus(status() | DeviceStatus.DRIVER_OK);
  }

  /** Offers one buffer and publishes it; returns whether the device wants a kick. */
  boolean submit(int queue) {
    DriverQueue ring = queues.get(queue);
    ring.readable(0x80000, 8);
    ring.writable(0x80010, 8);
    ring.submit(7);
    return ring.publish();
  }

  /** Writes to a queue's notification register, as KVM sees it: an ioeventfd comes first. */
  void kick(int queue) {
    selectQueue(queue);
    Structure notify = structures.get(NOTIFY);
    long multiplier = config(notify.capability() + 16, 4);
    long address = address(NOTIFY) + multiplier * common(CommonConfig.QUEUE_NOTIFY_OFF, 2);
    EventFd fd = ioEventFds.byAddress.get(address);
    if (fd != null) {
      fd.signal();
    } else {
      memoryBus.write(address, 2, queue);
    }
  }

  /** The data of all messages since last asked. */
  List<Integer> messages() {
    return msi.deliver().stream().map(FakeMsiRouter.Message::data).toList();
  }
}

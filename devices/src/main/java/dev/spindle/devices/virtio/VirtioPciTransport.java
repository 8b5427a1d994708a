// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.devices.bus.BusDevice;
import dev.spindle.devices.irq.IoEventFds;
import dev.spindle.devices.irq.MsiRouter;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.pci.BarKind;
import dev.spindle.devices.pci.Msix;
import dev.spindle.devices.pci.PciDevice;
import dev.spindle.devices.pci.PciIdentity;
import dev.spindle.linux.EventFd;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio device on the PCI bus (virtio 1.3, section 4.1; modern drivers only).
 *
 * <p>BAR 4 holds the common configuration, the interrupt status, the device's configuration and a
 * notification register per queue, which writes to an eventfd without stopping the vCPU. BAR 1
 * holds MSI-X. A driver that does without MSI-X gets the interrupt pin.
 */
public final class VirtioPciTransport extends PciDevice {
  private static final Logger LOG = LoggerFactory.getLogger(VirtioPciTransport.class);

  private static final int VENDOR = 0x1af4;
  private static final int FIRST_DEVICE = 0x1040;
  private static final int SUBSYSTEM = 0x1100;

  private static final int MSIX_BAR = 1;
  private static final int VIRTIO_BAR = 4;
  private static final int PAGE = 0x1000;
  private static final int COMMON_PAGE = 0x0000;
  private static final int ISR_PAGE = 0x1000;
  private static final int DEVICE_PAGE = 0x2000;
  private static final int NOTIFY_PAGE = 0x3000;
  private static final int BAR_SIZE = 0x4000;
  private static final int NOTIFY_MULTIPLIER = 4;
  private static final int MAX_QUEUES = PAGE / NOTIFY_MULTIPLIER;

  /** Any width matches, and KVM need not decode the instruction. */
  private static final int ANY_SIZE = 0;

  private static final int CAPABILITY_VENDOR = 0x09;
  private static final int COMMON_CFG = 1;
  private static final int NOTIFY_CFG = 2;
  private static final int ISR_CFG = 3;
  private static final int DEVICE_CFG = 4;
  private static final int PCI_CFG = 5;
  private static final int CAPABILITY_SIZE = 16;

  private static final int ISR_QUEUE = 1;
  private static final int ISR_CONFIG = 2;

  private final VirtioDevice device;
  private final String name;
  private final IoEventFds ioEventFds;
  private final EventFd[] kicks;
  private final Msix msix;
  private final VectorMap vectors;

  /** Bits that the guest has not read yet. Any thread. */
  private final AtomicInteger isr = new AtomicInteger();

  private final DeviceLifecycle lifecycle;
  private final CommonConfig common;
  private final PciConfigAccess configAccess;

  /** How many kicks are connected, always the first ones. Protected by the host bridge's lock. */
  private int connectedKicks;

  /**
   * Puts a device on a bus.
   *
   * @throws IOException if there are no file descriptors left
   */
  public VirtioPciTransport(
      VirtioDevice device,
      VirtioPciOptions options,
      GuestMemory memory,
      MsiRouter msiRouter,
      IoEventFds ioEventFds)
      throws IOException {
    super(
        new PciIdentity(
            VENDOR, FIRST_DEVICE + device.deviceType(), 1, options.classCode(), VENDOR, SUBSYSTEM));
    int queues = device.queueCount();
    if (queues < 1 || queues > MAX_QUEUES) {
      throw new IllegalArgumentException("a device of " + queues + " queues");
    }
    this.device = device;
    this.name = options.name();
    this.ioEventFds = ioEventFds;
    this.vectors = new VectorMap(queues, options.vectors());
    this.kicks = new EventFd[queues];
    this.lifecycle =
        new DeviceLifecycle(name, device, memory, options.ringFeatures(), kicks, new ToDriver());
    this.common = new CommonConfig(lifecycle, vectors);
    addBar(VIRTIO_BAR, BarKind.MEMORY64, BAR_SIZE, new Window());
    this.msix = addMsix(MSIX_BAR, options.vectors(), msiRouter);
    addInterruptPin();
    addStructures();
    this.configAccess = new PciConfigAccess(addPciConfigAccess());
    try {
      for (int i = 0; i < queues; i++) {
        kicks[i] = EventFd.create();
      }
    } catch (IOException e) {
      closeFds();
      throw e;
    }
  }

  private void addStructures() {
    addStructure(COMMON_CFG, COMMON_PAGE, CommonConfig.SIZE);
    addStructure(ISR_CFG, ISR_PAGE, 1);
    int configSize = device.configSpace().size();
    if (configSize > 0) {
      addStructure(DEVICE_CFG, DEVICE_PAGE, configSize);
    }
    byte[] notify =
        structure(
            CAPABILITY_SIZE + 4,
            NOTIFY_CFG,
            VIRTIO_BAR,
            NOTIFY_PAGE,
            device.queueCount() * NOTIFY_MULTIPLIER);
    little(notify).putInt(CAPABILITY_SIZE - 2, NOTIFY_MULTIPLIER);
    addCapability(CAPABILITY_VENDOR, notify, new byte[notify.length]);
  }

  private void addStructure(int type, int offset, int length) {
    byte[] body = structure(CAPABILITY_SIZE, type, VIRTIO_BAR, offset, length);
    addCapability(CAPABILITY_VENDOR, body, new byte[body.length]);
  }

  private int addPciConfigAccess() {
    byte[] body = structure(CAPABILITY_SIZE + 4, PCI_CFG, 0, 0, 0);
    byte[] writable = new byte[body.length];
    writable[PciConfigAccess.BAR - 2] = (byte) 0xff;
    for (int i = PciConfigAccess.OFFSET - 2; i < writable.length; i++) {
      writable[i] = (byte) 0xff;
    }
    return addCapability(CAPABILITY_VENDOR, body, writable);
  }

  /** struct virtio_pci_cap without its first two bytes, the ID and the next pointer. */
  private static byte[] structure(int size, int type, int bar, int offset, int length) {
    byte[] body = new byte[size - 2];
    body[0] = (byte) size;
    body[1] = (byte) type;
    body[2] = (byte) bar;
    little(body).putInt(6, offset).putInt(10, length);
    return body;
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  // ---- The BAR -------------------------------------------------------------------------------

  /** BAR 4: one page for each structure. */
  private final class Window implements BusDevice {
    @Override
    public long read(long offset, int size) {
      long inPage = offset & (PAGE - 1);
      return switch ((int) (offset & -PAGE)) {
        case COMMON_PAGE -> inPage <= CommonConfig.SIZE - size ? common.read(inPage, size) : 0;
        case ISR_PAGE -> inPage == 0 ? readIsr() : 0;
        case DEVICE_PAGE -> device.configSpace().read(inPage, size);
        default -> 0;
      };
    }

    @Override
    public void write(long offset, int size, long value) {
      long inPage = offset & (PAGE - 1);
      switch ((int) (offset & -PAGE)) {
        case COMMON_PAGE -> {
          if (inPage <= CommonConfig.SIZE - size) {
            common.write(inPage, size, value);
          }
        }
        case DEVICE_PAGE -> {
          if (inPage < device.configSpace().size()) {
            long mask = size == Long.BYTES ? -1 : (1L << (8 * size)) - 1;
            device.writeConfig((int) inPage, size, value & mask);
          }
        }
        case NOTIFY_PAGE -> notifyQueue(inPage / NOTIFY_MULTIPLIER);
        default -> {}
      }
    }
  }

  private void notifyQueue(long queue) {
    if (queue < kicks.length) {
      kicks[(int) queue].signal();
    }
  }

  /** Reading acknowledges (section 4.1.4.5). */
  private int readIsr() {
    int value = isr.getAndSet(0);
    updateInterruptPin();
    return value;
  }

  @Override
  protected void barMapped(int index, long address) {
    if (index != VIRTIO_BAR) {
      return;
    }
    try {
      for (; connectedKicks < kicks.length; connectedKicks++) {
        ioEventFds.add(notifyAddress(address, connectedKicks), ANY_SIZE, kicks[connectedKicks]);
      }
    } catch (IllegalStateException e) {
      // The rest stops the vCPU and comes through the window: slower, and as good.
      LOG.warn("{}: queues from {} on are notified the slow way", name, connectedKicks, e);
    }
  }

  @Override
  protected void barUnmapped(int index, long address) {
    if (index == VIRTIO_BAR) {
      while (connectedKicks > 0) {
        connectedKicks--;
        ioEventFds.remove(notifyAddress(address, connectedKicks), ANY_SIZE, kicks[connectedKicks]);
      }
    }
  }

  private static long notifyAddress(long barAddress, int queue) {
    return barAddress + NOTIFY_PAGE + (long) NOTIFY_MULTIPLIER * queue;
  }

  // ---- Interrupts ----------------------------------------------------------------------------

  private final class ToDriver implements DeviceLifecycle.Connection {
    @Override
    public void interruptQueue(int index) {
      raise(vectors.queue(index), ISR_QUEUE);
    }

    @Override
    public void interruptConfig() {
      raise(vectors.config(), ISR_CONFIG);
    }

    @Override
    public void wasReset() {
      common.reset();
      vectors.reset();
      isr.set(0);
      updateInterruptPin();
    }

    private void raise(int vector, int isrBit) {
      if (!msix.enabled()) {
        isr.accumulateAndGet(isrBit, (old, bit) -> old | bit);
        updateInterruptPin();
      } else if (vector != VectorMap.NONE) {
        msix.eventFd(vector).signal();
      }
    }
  }

  @Override
  protected boolean interruptAsserted() {
    return isr.get() != 0;
  }

  // ---- Configuration space -------------------------------------------------------------------

  /**
   * The capability that is a window of its own into the BARs, for firmware that cannot map them
   * (section 4.1.4.9). With the host bridge's lock.
   */
  private final class PciConfigAccess {
    static final int BAR = 4;
    static final int OFFSET = 8;
    static final int LENGTH = 12;
    static final int DATA = 16;

    private final int capability;
    private final BusDevice window = new Window();

    PciConfigAccess(int capability) {
      this.capability = capability;
    }

    boolean touches(int offset, int size) {
      return offset < capability + DATA + 4 && offset + size > capability + DATA;
    }

    private int length() {
      long length = field(LENGTH);
      boolean possible =
          field(BAR) % 256 == VIRTIO_BAR
              && (length == 1 || length == 2 || length == 4)
              && field(OFFSET) % length == 0
              && field(OFFSET) <= BAR_SIZE - length;
      return possible ? (int) length : 0;
    }

    private long field(int field) {
      return VirtioPciTransport.super.readConfig(capability + field, 4) & 0xffff_ffffL;
    }

    void fetch() {
      int length = length();
      if (length > 0) {
        long value = window.read(field(OFFSET), length);
        VirtioPciTransport.super.writeConfig(capability + DATA, length, value);
      }
    }

    void pass() {
      int length = length();
      if (length > 0) {
        window.write(field(OFFSET), length, field(DATA));
      }
    }
  }

  @Override
  public long readConfig(int offset, int size) {
    if (configAccess.touches(offset, size)) {
      configAccess.fetch();
    }
    return super.readConfig(offset, size);
  }

  @Override
  public void writeConfig(int offset, int size, long value) {
    super.writeConfig(offset, size, value);
    if (configAccess.touches(offset, size)) {
      configAccess.pass();
    }
  }

  /**
   * Ends the device for good: whatever its driver writes from now on has no effect. It must be off
   * the bus. Any thread, a vCPU's too; does not wait.
   *
   * @return completed when the device is quiet; exceptionally if that cannot be had
   */
  public CompletableFuture<Void> end() {
    return lifecycle.end();
  }

  /** Not for the device's own threads, nor with a lock held that it needs for coming to rest. */
  @Override
  public void comeToRest() {
    lifecycle.reset().join();
  }

  /** As {@link #comeToRest}, unless the device is quiet already. */
  @Override
  public void reset() {
    comeToRest();
    super.reset();
  }

  /**
   * Ends the device and gives back its eventfds and vectors. It must be off the bus, and no vCPU
   * may be at an access that found it there. Waits, as {@link #comeToRest} does, unless {@link
   * #end} has been completed before.
   */
  @Override
  public void close() {
    lifecycle.end().exceptionally(failure -> null).join(); // It has been logged.
    super.close();
    closeFds();
  }

  private void closeFds() {
    for (EventFd kick : kicks) {
      if (kick != null) {
        kick.close();
      }
    }
  }
}

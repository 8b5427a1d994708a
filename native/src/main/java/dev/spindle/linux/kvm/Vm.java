// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.Errno;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.Syscall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A virtual machine. Usable from any thread; the kernel serialises what needs it.
 *
 * <p>{@link #irqLine} and {@link #signalMsi} allocate nothing. Every method throws {@link
 * LinuxException} naming the ioctl if the kernel refuses.
 */
public final class Vm implements AutoCloseable {
  /** For {@link #setUserMemoryRegion}: keep a log of the pages written. */
  public static final int LOG_DIRTY_PAGES = KvmConstants.MEM_LOG_DIRTY_PAGES;

  /** For {@link #setUserMemoryRegion}: guest writes become MMIO exits. */
  public static final int READ_ONLY = KvmConstants.MEM_READONLY;

  private final Fd fd;
  private final int vcpuPageSize;

  /** What each slot points at, kept reachable for as long as the VM can touch it. */
  private final Map<Integer, MemorySegment> slots = new ConcurrentHashMap<>();

  Vm(Fd fd, int vcpuPageSize) {
    this.fd = fd;
    this.vcpuPageSize = vcpuPageSize;
  }

  /** KVM_CHECK_EXTENSION as it holds for this VM. */
  public int checkExtension(int capability) throws LinuxException {
    return (int) ioctl("KVM_CHECK_EXTENSION", KvmIoctl.CHECK_EXTENSION, capability);
  }

  /** KVM_ENABLE_CAP with up to four arguments. */
  public void enableCapability(int capability, long... arguments) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment request = CapabilityRequest.of(arena, capability, arguments);
      ioctl("KVM_ENABLE_CAP", KvmIoctl.ENABLE_CAP, request.address());
    }
  }

  /**
   * Puts memory into the guest, or changes a slot's flags.
   *
   * @param slot from 0 to KVM_CAP_NR_MEMSLOTS - 1
   * @param flags {@link #LOG_DIRTY_PAGES}, {@link #READ_ONLY}, or 0
   * @param guestAddress where the guest sees it, page-aligned
   * @param memory native, page-aligned; stays mapped until the slot is removed or the VM is gone
   */
  public void setUserMemoryRegion(int slot, int flags, long guestAddress, MemorySegment memory)
      throws LinuxException {
    if (!memory.isNative()) {
      throw new IllegalArgumentException("the kernel cannot reach a heap segment");
    }
    memoryRegion(slot, flags, guestAddress, memory.byteSize(), memory.address());
    slots.put(slot, memory);
  }

  /** Takes a slot's memory out of the guest. */
  public void removeUserMemoryRegion(int slot) throws LinuxException {
    memoryRegion(slot, 0, 0, 0, 0);
    slots.remove(slot);
  }

  private void memoryRegion(int slot, int flags, long guestAddress, long size, long address)
      throws LinuxException {
    CallState state = CallState.current();
    MemorySegment region = state.scratch();
    region.set(ValueLayout.JAVA_INT, VmLayouts.MemoryRegion.SLOT, slot);
    region.set(ValueLayout.JAVA_INT, VmLayouts.MemoryRegion.FLAGS, flags);
    region.set(ValueLayout.JAVA_LONG, VmLayouts.MemoryRegion.GUEST_PHYS_ADDR, guestAddress);
    region.set(ValueLayout.JAVA_LONG, VmLayouts.MemoryRegion.MEMORY_SIZE, size);
    region.set(ValueLayout.JAVA_LONG, VmLayouts.MemoryRegion.USERSPACE_ADDR, address);
    ioctl("KVM_SET_USER_MEMORY_REGION", KvmIoctl.SET_USER_MEMORY_REGION, region.address());
  }

  /**
   * KVM_GET_DIRTY_LOG: takes and resets a slot's log of written pages.
   *
   * @param bitmap receives one bit per page, lowest first; a multiple of 8 bytes and at least as
   *     long as the slot needs
   */
  public void getDirtyLog(int slot, MemorySegment bitmap) throws LinuxException {
    MemorySegment memory = slots.get(slot);
    long words = memory == null ? 0 : (memory.byteSize() / 4096 + 63) / 64;
    if (!bitmap.isNative() || bitmap.byteSize() < words * 8) {
      throw new IllegalArgumentException(
          "slot " + slot + " needs " + words * 8 + " bytes of native memory for its dirty log");
    }
    MemorySegment request = CallState.current().scratch();
    request.set(ValueLayout.JAVA_LONG, 0, 0);
    request.set(ValueLayout.JAVA_INT, VmLayouts.DirtyLog.SLOT, slot);
    request.set(ValueLayout.JAVA_LONG, VmLayouts.DirtyLog.DIRTY_BITMAP, bitmap.address());
    ioctl("KVM_GET_DIRTY_LOG", KvmIoctl.GET_DIRTY_LOG, request.address());
  }

  /**
   * KVM_SET_TSS_ADDR: three pages of guest-physical addresses, below 4 GiB, that Intel CPUs need.
   */
  public void setTssAddress(int guestAddress) throws LinuxException {
    ioctl("KVM_SET_TSS_ADDR", KvmIoctl.SET_TSS_ADDR, Integer.toUnsignedLong(guestAddress));
  }

  /** KVM_SET_IDENTITY_MAP_ADDR: one such page; before the first vCPU. */
  public void setIdentityMapAddress(long guestAddress) throws LinuxException {
    MemorySegment scratch = CallState.current().scratch();
    scratch.set(ValueLayout.JAVA_LONG, 0, guestAddress);
    ioctl("KVM_SET_IDENTITY_MAP_ADDR", KvmIoctl.SET_IDENTITY_MAP_ADDR, scratch.address());
  }

  /**
   * KVM_CREATE_IRQCHIP: two 8259s, an I/O APIC and a local APIC per vCPU; before the first vCPU.
   */
  public void createIrqchip() throws LinuxException {
    ioctl("KVM_CREATE_IRQCHIP", KvmIoctl.CREATE_IRQCHIP, 0);
  }

  /**
   * KVM_CREATE_PIT2: the 8254 timer; after {@link #createIrqchip}.
   *
   * @param speaker whether KVM also answers port 0x61, so that guests can calibrate with channel 2
   */
  public void createPit2(boolean speaker) throws LinuxException {
    MemorySegment config = CallState.current().zeroedScratch(VmLayouts.PitConfig.SIZE);
    config.set(
        ValueLayout.JAVA_INT,
        VmLayouts.PitConfig.FLAGS,
        speaker ? KvmConstants.PIT_SPEAKER_DUMMY : 0);
    ioctl("KVM_CREATE_PIT2", KvmIoctl.CREATE_PIT2, config.address());
  }

  /** KVM_SET_BOOT_CPU_ID: the vCPU that starts running; before the first vCPU. 0 unless set. */
  public void setBootCpuId(int vcpuId) throws LinuxException {
    ioctl("KVM_SET_BOOT_CPU_ID", KvmIoctl.SET_BOOT_CPU_ID, vcpuId);
  }

  /** KVM_IRQ_LINE: sets the level of an interrupt line. */
  public void irqLine(int gsi, boolean high) throws LinuxException {
    MemorySegment level = CallState.current().scratch();
    level.set(ValueLayout.JAVA_INT, VmLayouts.IrqLevel.IRQ, gsi);
    level.set(ValueLayout.JAVA_INT, VmLayouts.IrqLevel.LEVEL, high ? 1 : 0);
    ioctl("KVM_IRQ_LINE", KvmIoctl.IRQ_LINE, level.address());
  }

  /** KVM_SET_GSI_ROUTING: replaces the whole routing table. */
  public void setGsiRouting(List<IrqRoute> routes) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment table = IrqRoute.table(arena, routes);
      ioctl("KVM_SET_GSI_ROUTING", KvmIoctl.SET_GSI_ROUTING, table.address());
    }
  }

  /**
   * KVM_SIGNAL_MSI.
   *
   * @return whether a vCPU took it; false if the guest has it blocked
   */
  public boolean signalMsi(long address, int data) throws LinuxException {
    MemorySegment msi = CallState.current().zeroedScratch(VmLayouts.Msi.SIZE);
    msi.set(ValueLayout.JAVA_INT, VmLayouts.Msi.ADDRESS_LO, (int) address);
    msi.set(ValueLayout.JAVA_INT, VmLayouts.Msi.ADDRESS_HI, (int) (address >>> 32));
    msi.set(ValueLayout.JAVA_INT, VmLayouts.Msi.DATA, data);
    return ioctl("KVM_SIGNAL_MSI", KvmIoctl.SIGNAL_MSI, msi.address()) > 0;
  }

  /**
   * KVM_IRQFD: signalling the eventfd raises the interrupt. If the eventfd is signalled already,
   * the interrupt is raised at once.
   */
  public void addIrqfd(EventFd event, int gsi) throws LinuxException {
    irqfd(event, null, gsi, 0);
  }

  /**
   * KVM_IRQFD for a level-triggered interrupt: signalling {@code event} raises the line; when the
   * guest acknowledges it, KVM lowers the line and signals {@code resample}.
   */
  public void addIrqfd(EventFd event, EventFd resample, int gsi) throws LinuxException {
    irqfd(event, resample, gsi, KvmConstants.IRQFD_FLAG_RESAMPLE);
  }

  /** Undoes {@link #addIrqfd}; on return KVM no longer consumes the eventfd. */
  public void removeIrqfd(EventFd event, int gsi) throws LinuxException {
    irqfd(event, null, gsi, KvmConstants.IRQFD_FLAG_DEASSIGN);
  }

  private void irqfd(EventFd event, EventFd resample, int gsi, int flags) throws LinuxException {
    MemorySegment irqfd = CallState.current().zeroedScratch(VmLayouts.Irqfd.SIZE);
    irqfd.set(ValueLayout.JAVA_INT, VmLayouts.Irqfd.FD, event.fd().number());
    irqfd.set(ValueLayout.JAVA_INT, VmLayouts.Irqfd.GSI, gsi);
    irqfd.set(ValueLayout.JAVA_INT, VmLayouts.Irqfd.FLAGS, flags);
    if (resample != null) {
      irqfd.set(ValueLayout.JAVA_INT, VmLayouts.Irqfd.RESAMPLEFD, resample.fd().number());
    }
    ioctl("KVM_IRQFD", KvmIoctl.IRQFD, irqfd.address());
  }

  /**
   * KVM_IOEVENTFD: a guest write to the address signals the eventfd instead of leaving the guest.
   *
   * @param length bytes of the write: 1, 2, 4 or 8, or 0 for any length
   */
  public void addIoEventFd(IoSpace space, long address, int length, EventFd event)
      throws LinuxException {
    ioEventFd(space, address, length, event, 0, 0);
  }

  /** As above, for writes of one value only; the length must not be 0. */
  public void addIoEventFd(IoSpace space, long address, int length, EventFd event, long dataMatch)
      throws LinuxException {
    ioEventFd(space, address, length, event, dataMatch, KvmConstants.IOEVENTFD_FLAG_DATAMATCH);
  }

  /** Undoes {@link #addIoEventFd(IoSpace, long, int, EventFd)} with the same arguments. */
  public void removeIoEventFd(IoSpace space, long address, int length, EventFd event)
      throws LinuxException {
    ioEventFd(space, address, length, event, 0, KvmConstants.IOEVENTFD_FLAG_DEASSIGN);
  }

  /** Undoes {@link #addIoEventFd(IoSpace, long, int, EventFd, long)} with the same arguments. */
  public void removeIoEventFd(
      IoSpace space, long address, int length, EventFd event, long dataMatch)
      throws LinuxException {
    ioEventFd(
        space,
        address,
        length,
        event,
        dataMatch,
        KvmConstants.IOEVENTFD_FLAG_DEASSIGN | KvmConstants.IOEVENTFD_FLAG_DATAMATCH);
  }

  private void ioEventFd(
      IoSpace space, long address, int length, EventFd event, long dataMatch, int flags)
      throws LinuxException {
    MemorySegment request = CallState.current().zeroedScratch(VmLayouts.Ioeventfd.SIZE);
    request.set(ValueLayout.JAVA_LONG, VmLayouts.Ioeventfd.DATAMATCH, dataMatch);
    request.set(ValueLayout.JAVA_LONG, VmLayouts.Ioeventfd.ADDR, address);
    request.set(ValueLayout.JAVA_INT, VmLayouts.Ioeventfd.LEN, length);
    request.set(ValueLayout.JAVA_INT, VmLayouts.Ioeventfd.FD, event.fd().number());
    request.set(
        ValueLayout.JAVA_INT,
        VmLayouts.Ioeventfd.FLAGS,
        space == IoSpace.PIO ? flags | KvmConstants.IOEVENTFD_FLAG_PIO : flags);
    ioctl("KVM_IOEVENTFD", KvmIoctl.IOEVENTFD, request.address());
  }

  /** KVM_GET_CLOCK. */
  public KvmClock clock() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment clock = arena.allocate(VmLayouts.Clock.SIZE, 8);
      ioctl("KVM_GET_CLOCK", KvmIoctl.GET_CLOCK, clock.address());
      int flags = clock.get(ValueLayout.JAVA_INT, VmLayouts.Clock.FLAGS);
      return new KvmClock(
          clock.get(ValueLayout.JAVA_LONG, VmLayouts.Clock.CLOCK),
          (flags & KvmConstants.CLOCK_TSC_STABLE) != 0);
    }
  }

  /**
   * KVM_SET_CLOCK: sets the guest's time in nanoseconds, as {@link KvmClock#nanoseconds} gave it.
   */
  public void setClock(long nanoseconds) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment clock = arena.allocate(VmLayouts.Clock.SIZE, 8);
      clock.set(ValueLayout.JAVA_LONG, VmLayouts.Clock.CLOCK, nanoseconds);
      ioctl("KVM_SET_CLOCK", KvmIoctl.SET_CLOCK, clock.address());
    }
  }

  /**
   * KVM_CREATE_VCPU.
   *
   * @param id also its local APIC's number
   */
  public Vcpu createVcpu(int id) throws LinuxException {
    long result = Syscall.ioctl(fd.number(), KvmIoctl.CREATE_VCPU, id);
    String name = "vCPU " + id;
    return Vcpu.of(
        Fd.owning((int) LinuxException.check("KVM_CREATE_VCPU", name, result), name),
        id,
        vcpuPageSize);
  }

  private long ioctl(String name, long request, long argument) throws LinuxException {
    long result;
    do {
      result = Syscall.ioctl(fd.number(), request, argument);
    } while (result == -Errno.EINTR);
    return LinuxException.check(name, fd.name(), result);
  }

  /**
   * Closes the descriptor. The kernel frees the VM when its vCPUs are closed too; the memory behind
   * its slots must stay mapped until then.
   */
  @Override
  public void close() {
    fd.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.OpenFlag;
import dev.spindle.linux.internal.Syscall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;

/**
 * The system's KVM: an open {@code /dev/kvm}. Usable from any thread. VMs made from it outlive it.
 */
public final class Kvm implements AutoCloseable {
  /** Where it is. */
  public static final Path DEVICE = Path.of("/dev/kvm");

  /** The only version of the interface there is. */
  public static final int API_VERSION = KvmConstants.API_VERSION;

  private static final int CPUID_START = 128;
  private static final int CPUID_LIMIT = 4096;

  private final LinuxFile device;

  private Kvm(LinuxFile device) {
    this.device = device;
  }

  /**
   * Opens {@code /dev/kvm}.
   *
   * @throws LinuxException {@code ENOENT} or {@code ENXIO} without KVM, {@code EACCES} without
   *     permission
   */
  public static Kvm open() throws LinuxException {
    return new Kvm(LinuxFile.open(DEVICE, OpenFlag.READ_WRITE));
  }

  Fd fd() {
    return device.fd();
  }

  /** KVM_GET_API_VERSION; {@link #API_VERSION} on every kernel that can be used. */
  public int apiVersion() throws LinuxException {
    return (int) ioctl("KVM_GET_API_VERSION", KvmIoctl.GET_API_VERSION, 0);
  }

  /**
   * KVM_CHECK_EXTENSION.
   *
   * @param capability one of {@link KvmCap}
   * @return 0 if it is missing, else 1 or a number that the capability defines
   */
  public int checkExtension(int capability) throws LinuxException {
    return (int) ioctl("KVM_CHECK_EXTENSION", KvmIoctl.CHECK_EXTENSION, capability);
  }

  /** The most vCPUs that a VM can have. */
  public int maxVcpus() throws LinuxException {
    return Math.max(1, checkExtension(KvmCap.MAX_VCPUS));
  }

  /** KVM_GET_SUPPORTED_CPUID: what KVM can give a guest on this host. */
  public List<CpuidEntry> supportedCpuid() throws LinuxException {
    int capacity = CPUID_START;
    while (true) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment table = CpuidEntry.emptyTable(arena, capacity);
        long result =
            Syscall.ioctl(device.fd().number(), KvmIoctl.GET_SUPPORTED_CPUID, table.address());
        if (result == -Errno.E2BIG && capacity < CPUID_LIMIT) {
          capacity *= 2;
          continue;
        }
        LinuxException.check("KVM_GET_SUPPORTED_CPUID", device.fd().name(), result);
        return CpuidEntry.read(table);
      }
    }
  }

  /** KVM_GET_MSR_INDEX_LIST: the MSRs that make up a vCPU's state. */
  public int[] msrIndices() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(VmLayouts.MsrList.SIZE, 8);
      // With room for none, KVM answers E2BIG and says how many there are.
      long result =
          Syscall.ioctl(device.fd().number(), KvmIoctl.GET_MSR_INDEX_LIST, count.address());
      if (result != -Errno.E2BIG) {
        LinuxException.check("KVM_GET_MSR_INDEX_LIST", device.fd().name(), result);
      }
      int number = count.get(ValueLayout.JAVA_INT, VmLayouts.MsrList.NMSRS);
      MemorySegment list = arena.allocate(VmLayouts.MsrList.SIZE + 4L * number, 8);
      list.set(ValueLayout.JAVA_INT, VmLayouts.MsrList.NMSRS, number);
      ioctl("KVM_GET_MSR_INDEX_LIST", KvmIoctl.GET_MSR_INDEX_LIST, list.address());
      return list.asSlice(VmLayouts.MsrList.INDICES, 4L * number).toArray(ValueLayout.JAVA_INT);
    }
  }

  /** KVM_CREATE_VM: an empty VM. */
  public Vm createVm() throws LinuxException {
    int pageSize = (int) ioctl("KVM_GET_VCPU_MMAP_SIZE", KvmIoctl.GET_VCPU_MMAP_SIZE, 0);
    long result;
    do {
      result = Syscall.ioctl(device.fd().number(), KvmIoctl.CREATE_VM, 0);
    } while (result == -Errno.EINTR);
    LinuxException.check("KVM_CREATE_VM", device.fd().name(), result);
    return new Vm(Fd.owning((int) result, "KVM VM"), pageSize);
  }

  private long ioctl(String name, long request, long argument) throws LinuxException {
    return LinuxException.check(
        name, device.fd().name(), Syscall.ioctl(device.fd().number(), request, argument));
  }

  @Override
  public void close() {
    device.close();
  }
}

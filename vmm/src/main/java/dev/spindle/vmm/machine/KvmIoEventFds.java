// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.irq.IoEventFds;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.kvm.IoSpace;
import dev.spindle.linux.kvm.Vm;
import java.util.LinkedHashSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Doorbells of devices as KVM ioeventfds. What is set here outlives a reset. */
final class KvmIoEventFds implements IoEventFds {
  private static final Logger LOG = LoggerFactory.getLogger(KvmIoEventFds.class);

  private record Doorbell(long address, int size, EventFd fd) {}

  /** Null before the first VM and after the last. Protected by this object's monitor. */
  private Vm vm;

  /** Protected by this object's monitor. */
  private final Set<Doorbell> doorbells = new LinkedHashSet<>();

  synchronized void attach(Vm newVm) throws LinuxException {
    vm = newVm;
    for (Doorbell doorbell : doorbells) {
      vm.addIoEventFd(IoSpace.MMIO, doorbell.address(), doorbell.size(), doorbell.fd());
    }
  }

  synchronized void detach() {
    vm = null;
  }

  @Override
  public synchronized void add(long gpa, int size, EventFd fd) {
    try {
      if (vm != null) {
        vm.addIoEventFd(IoSpace.MMIO, gpa, size, fd);
      }
      doorbells.add(new Doorbell(gpa, size, fd));
    } catch (LinuxException e) {
      throw new IllegalStateException(
          "no doorbell at 0x" + Long.toHexString(gpa) + ": " + e.getMessage(), e);
    }
  }

  @Override
  public synchronized void remove(long gpa, int size, EventFd fd) {
    if (doorbells.remove(new Doorbell(gpa, size, fd)) && vm != null) {
      try {
        vm.removeIoEventFd(IoSpace.MMIO, gpa, size, fd);
      } catch (LinuxException e) {
        LOG.error("a doorbell stays: {}", e.getMessage());
      }
    }
  }
}

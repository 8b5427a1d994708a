// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.kvm.CpuidEntry;
import dev.spindle.linux.kvm.Kvm;
import dev.spindle.linux.kvm.KvmCap;
import dev.spindle.linux.kvm.Vcpu;
import dev.spindle.linux.kvm.Vm;
import dev.spindle.vmm.boot.EntryState;
import java.util.ArrayList;
import java.util.List;

/**
 * The part of a machine that lives in KVM: memory slots, interrupt controllers, timer and vCPUs.
 *
 * <p>A reset replaces it whole, over the same memory. So nothing of the old guest's processor state
 * can survive, and there is no second path that puts registers back.
 */
final class KvmHardware implements AutoCloseable {
  /** Four pages at the top of the address space that Intel's processors need for themselves. */
  static final long PRIVATE_PAGES = 0xFEFF_C000L;

  /** Size of the range at {@link #PRIVATE_PAGES}, in bytes. */
  static final long PRIVATE_PAGES_SIZE = 0x4000;

  private static final int TASK_STATE_PAGES = (int) (PRIVATE_PAGES + 0x1000);

  private final Vm vm;
  private final GsiRouting routing;
  private final KvmIoEventFds doorbells;
  private final List<VcpuThread> vcpus = new ArrayList<>();

  private KvmHardware(Vm vm, GsiRouting routing, KvmIoEventFds doorbells) {
    this.vm = vm;
    this.routing = routing;
    this.doorbells = doorbells;
  }

  /**
   * What all incarnations of one machine's hardware share.
   *
   * @param cpuid what each vCPU's CPUID instruction answers, by vCPU
   */
  record Blueprint(
      Kvm kvm,
      GuestMemory memory,
      List<List<CpuidEntry>> cpuid,
      Bus ports,
      Bus memoryBus,
      GsiRouting routing,
      KvmIoEventFds doorbells,
      VcpuEvents events) {}

  /** Makes the hardware with its vCPU threads, stopped, the first vCPU ready at {@code entry}. */
  static KvmHardware create(Blueprint blueprint, EntryState entry) throws LinuxException {
    KvmHardware hardware =
        new KvmHardware(blueprint.kvm().createVm(), blueprint.routing(), blueprint.doorbells());
    try {
      hardware.build(blueprint, entry);
      return hardware;
    } catch (LinuxException e) {
      hardware.close();
      throw e;
    }
  }

  private void build(Blueprint blueprint, EntryState entry) throws LinuxException {
    vm.setIdentityMapAddress(PRIVATE_PAGES);
    vm.setTssAddress(TASK_STATE_PAGES);
    vm.createIrqchip();
    vm.createPit2(true);
    int slot = 0;
    for (GuestMemory.Region region : blueprint.memory().regions()) {
      vm.setUserMemoryRegion(
          slot++,
          0,
          region.address(),
          blueprint.memory().segment().asSlice(region.offset(), region.size()));
    }
    routing.attach(vm);
    doorbells.attach(vm);
    for (int id = 0; id < blueprint.cpuid().size(); id++) {
      Vcpu vcpu = vm.createVcpu(id);
      vcpus.add(new VcpuThread(vcpu, blueprint.ports(), blueprint.memoryBus(), blueprint.events()));
      vcpu.setCpuid(blueprint.cpuid().get(id));
      VcpuSetup.firmwareDefaults(vcpu);
    }
    VcpuSetup.enterAt(vcpus.getFirst().vcpu(), entry);
    vcpus.forEach(VcpuThread::start);
  }

  /** Returns the guest's clock in nanoseconds, to be given to {@link #startClock}. */
  long stopClock() throws LinuxException {
    return vm.clock().nanoseconds();
  }

  /** Lets the guest's clock go on from {@code nanoseconds}, and tells the guest it was stopped. */
  void startClock(long nanoseconds) throws LinuxException {
    vm.setClock(nanoseconds);
    for (VcpuThread vcpu : vcpus) {
      vcpu.vcpu().notifyPaused();
    }
  }

  /** The numbers that the vCPUs' threads have on the host, by vCPU. */
  List<Integer> threadIds() {
    return vcpus.stream().map(VcpuThread::threadId).toList();
  }

  /** Takes every vCPU out of the guest; on return none executes. */
  void pause() {
    vcpus.forEach(VcpuThread::requestPause);
    vcpus.forEach(VcpuThread::awaitStill);
  }

  /** Lets every vCPU execute. */
  void resume() {
    vcpus.forEach(VcpuThread::resume);
  }

  /** Ends the vCPU threads and gives everything back to KVM. */
  @Override
  public void close() {
    vcpus.forEach(VcpuThread::requestPause);
    vcpus.forEach(VcpuThread::close);
    routing.detach();
    doorbells.detach();
    vm.close();
  }

  /** Returns how many GSIs KVM can route. */
  static int routableInterrupts(Kvm kvm) throws LinuxException {
    return kvm.checkExtension(KvmCap.IRQ_ROUTING);
  }
}

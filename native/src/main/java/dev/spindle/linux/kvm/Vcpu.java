// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.Signals;
import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.List;

/**
 * A virtual CPU. One platform thread owns it: that thread calls {@link #attach} once, then {@link
 * #run} again and again, and {@link #detach} at the end. Reading and setting state is for that
 * thread too, or for anyone while it is not in {@link #run}. {@link #kick} is for any thread at any
 * time.
 *
 * <p>{@link #run} and {@link #kick} allocate nothing. A kick needs no signal handler: {@code
 * immediate_exit} stops a vCPU that is about to enter the guest, and {@link Signals#KICK}, blocked
 * except inside KVM_RUN, one that is there.
 */
public final class Vcpu implements AutoCloseable {
  private final Fd fd;
  private final int id;
  private final Mapping page;
  private final KvmRun run;
  private final CallState callState = new CallState();

  /** The kernel's number of the attached thread, or 0. Protected by this object's monitor. */
  private int tid;

  private Vcpu(Fd fd, int id, Mapping page) {
    this.fd = fd;
    this.id = id;
    this.page = page;
    this.run = new KvmRun(page);
  }

  static Vcpu of(Fd fd, int id, int pageSize) throws LinuxException {
    try {
      return new Vcpu(fd, id, Mapping.shared(fd, 0, pageSize));
    } catch (LinuxException e) {
      fd.close();
      throw e;
    }
  }

  /** Its number, also its local APIC's. */
  public int id() {
    return id;
  }

  /** What it shares with its user. */
  public KvmRun kvmRun() {
    return run;
  }

  /**
   * Makes the calling platform thread the one that runs this vCPU: blocks {@link Signals#KICK} in
   * it, and has KVM unblock the signal inside KVM_RUN only.
   */
  public void attach() throws LinuxException {
    if (Thread.currentThread().isVirtual()) {
      throw new IllegalStateException("a vCPU needs a platform thread");
    }
    Signals.block(Signals.KICK);
    setSignalMask(Signals.blocked() & ~(1L << (Signals.KICK - 1)));
    synchronized (this) {
      tid = Signals.gettid();
    }
  }

  /** Ends {@link #attach}: kicks no longer reach the calling thread. */
  public void detach() throws LinuxException {
    synchronized (this) {
      tid = 0;
    }
    Signals.consumePending(Signals.KICK);
  }

  /**
   * KVM_SET_SIGNAL_MASK.
   *
   * @param blocked the signals blocked inside KVM_RUN: bit {@code n - 1} for signal {@code n}
   */
  public void setSignalMask(long blocked) throws LinuxException {
    MemorySegment mask = CallState.current().scratch();
    mask.set(ValueLayout.JAVA_INT, VcpuLayouts.SignalMask.LEN, Long.BYTES);
    mask.set(ValueLayout.JAVA_LONG_UNALIGNED, VcpuLayouts.SignalMask.SIGSET, blocked);
    ioctl("KVM_SET_SIGNAL_MASK", KvmIoctl.SET_SIGNAL_MASK, mask.address());
  }

  /**
   * Runs the guest on the calling thread until something needs user space's attention.
   *
   * <p>{@link VcpuExit#INTERRUPTED} answers a kick, or comes for no reason; by then the kick is
   * used up, so look at what the kicker left for you and run again. Whoever kicks first writes what
   * it has to say (to a volatile field), then kicks: nothing is lost.
   *
   * @return why it stopped; {@link #kvmRun} has the details
   * @throws LinuxException if KVM_RUN itself fails
   */
  public VcpuExit run() throws LinuxException {
    while (true) {
      long result =
          Syscall.invoke(callState, SyscallNumber.IOCTL, fd.number(), KvmIoctl.RUN, 0, 0, 0, 0);
      if (result == 0) {
        return VcpuExit.of(run.exitReason());
      }
      if (result == -Errno.EINTR) {
        Signals.consumePending(Signals.KICK);
        run.setImmediateExit(false);
        // The kicker wrote its message before immediate_exit; the caller reads it after this.
        VarHandle.fullFence();
        return VcpuExit.INTERRUPTED;
      }
      // EAGAIN: an application processor was woken by INIT or SIPI and starts with the next call.
      if (result != -Errno.EAGAIN) {
        LinuxException.check("KVM_RUN", fd.name(), result);
      }
    }
  }

  /**
   * Makes {@link #run} return {@link VcpuExit#INTERRUPTED} soon: the one in progress, or else the
   * next one.
   */
  public void kick() throws LinuxException {
    synchronized (this) {
      if (run.immediateExit()) {
        // An earlier kick is still on its way.
        return;
      }
      run.setImmediateExit(true);
      if (tid != 0) {
        Signals.send(tid, Signals.KICK);
      }
    }
  }

  /** KVM_GET_REGS and its like: fills the buffer from the vCPU. */
  public void get(VcpuState state) throws LinuxException {
    LinuxException.check(
        "KVM_GET_" + state.name(),
        fd.name(),
        Syscall.ioctl(fd.number(), state.getRequest(), state.memory.address()));
  }

  /** KVM_SET_REGS and its like: stores the buffer into the vCPU. */
  public void set(VcpuState state) throws LinuxException {
    LinuxException.check(
        "KVM_SET_" + state.name(),
        fd.name(),
        Syscall.ioctl(fd.number(), state.setRequest(), state.memory.address()));
  }

  /** The general registers, in a new buffer. */
  public Regs regs() throws LinuxException {
    Regs regs = new Regs();
    get(regs);
    return regs;
  }

  /** The system registers, in a new buffer. */
  public Sregs sregs() throws LinuxException {
    Sregs sregs = new Sregs();
    get(sregs);
    return sregs;
  }

  /** KVM_SET_CPUID2: what the CPUID instruction answers; before the first {@link #run}. */
  public void setCpuid(List<CpuidEntry> entries) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment table = CpuidEntry.table(arena, entries);
      ioctl("KVM_SET_CPUID2", KvmIoctl.SET_CPUID2, table.address());
    }
  }

  /** KVM_GET_CPUID2: what {@link #setCpuid} set, as KVM has it now. */
  public List<CpuidEntry> cpuid() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment table = CpuidEntry.emptyTable(arena, 1024);
      ioctl("KVM_GET_CPUID2", KvmIoctl.GET_CPUID2, table.address());
      return CpuidEntry.read(table);
    }
  }

  /**
   * KVM_SET_MSRS.
   *
   * @throws LinuxException {@code EINVAL}, naming the first MSR that KVM refused; those before it
   *     are set
   */
  public void setMsrs(List<MsrEntry> entries) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment table = MsrEntry.table(arena, entries);
      long done = ioctl("KVM_SET_MSRS", KvmIoctl.SET_MSRS, table.address());
      if (done < entries.size()) {
        throw refused("KVM_SET_MSRS", entries.get((int) done).index());
      }
    }
  }

  /**
   * KVM_GET_MSRS.
   *
   * @return the values, in the order of the numbers
   * @throws LinuxException {@code EINVAL}, naming the first MSR that KVM refused
   */
  public long[] msrs(int... indices) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      List<MsrEntry> wanted =
          Arrays.stream(indices).mapToObj(index -> new MsrEntry(index, 0)).toList();
      MemorySegment table = MsrEntry.table(arena, wanted);
      long done = ioctl("KVM_GET_MSRS", KvmIoctl.GET_MSRS, table.address());
      if (done < indices.length) {
        throw refused("KVM_GET_MSRS", indices[(int) done]);
      }
      return MsrEntry.values(table, indices.length);
    }
  }

  private LinuxException refused(String call, int msr) {
    return new LinuxException(call, fd.name() + " MSR 0x" + Integer.toHexString(msr), Errno.EINVAL);
  }

  /** KVM_GET_MP_STATE. */
  public MpState mpState() throws LinuxException {
    MemorySegment scratch = CallState.current().scratch();
    ioctl("KVM_GET_MP_STATE", KvmIoctl.GET_MP_STATE, scratch.address());
    return MpState.of(scratch.get(ValueLayout.JAVA_INT, VcpuLayouts.MpState.MP_STATE));
  }

  /** KVM_SET_MP_STATE. */
  public void setMpState(MpState mpState) throws LinuxException {
    MemorySegment scratch = CallState.current().scratch();
    scratch.set(ValueLayout.JAVA_INT, VcpuLayouts.MpState.MP_STATE, mpState.number());
    ioctl("KVM_SET_MP_STATE", KvmIoctl.SET_MP_STATE, scratch.address());
  }

  /** KVM_INTERRUPT: queues an interrupt, with the interrupt controller in user space. */
  public void interrupt(int vector) throws LinuxException {
    MemorySegment scratch = CallState.current().scratch();
    scratch.set(ValueLayout.JAVA_INT, 0, vector);
    ioctl("KVM_INTERRUPT", KvmIoctl.INTERRUPT, scratch.address());
  }

  /** KVM_NMI: queues a non-maskable interrupt. */
  public void nmi() throws LinuxException {
    ioctl("KVM_NMI", KvmIoctl.NMI, 0);
  }

  /** KVM_GET_TSC_KHZ. */
  public int tscKhz() throws LinuxException {
    return (int) ioctl("KVM_GET_TSC_KHZ", KvmIoctl.GET_TSC_KHZ, 0);
  }

  /** KVM_SET_TSC_KHZ. */
  public void setTscKhz(int khz) throws LinuxException {
    ioctl("KVM_SET_TSC_KHZ", KvmIoctl.SET_TSC_KHZ, khz);
  }

  /**
   * KVM_KVMCLOCK_CTRL: tells the guest's watchdogs that it was stopped.
   *
   * @return false if the guest does not use kvmclock
   */
  public boolean notifyPaused() throws LinuxException {
    long result = Syscall.ioctl(fd.number(), KvmIoctl.KVMCLOCK_CTRL, 0);
    if (result == -Errno.EINVAL) {
      return false;
    }
    LinuxException.check("KVM_KVMCLOCK_CTRL", fd.name(), result);
    return true;
  }

  /** KVM_ENABLE_CAP on this vCPU, with up to four arguments. */
  public void enableCapability(int capability, long... arguments) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment request = CapabilityRequest.of(arena, capability, arguments);
      ioctl("KVM_ENABLE_CAP", KvmIoctl.ENABLE_CAP, request.address());
    }
  }

  private long ioctl(String name, long request, long argument) throws LinuxException {
    return LinuxException.check(name, fd.name(), Syscall.ioctl(fd.number(), request, argument));
  }

  /** Closes it. Its thread has left {@link #run} for good before. */
  @Override
  public void close() {
    page.close();
    fd.close();
  }
}

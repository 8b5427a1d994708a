// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Mapping;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Finds out whether {@code /dev/kvm} can run a stock kernel, by having it run what every 64-bit
 * kernel does while it boots: its own exceptions and page faults, ring 3 and system calls, a timer
 * interrupt, and plain instructions at speed.
 *
 * <p>The device's presence does not say so. Nested KVM may be switched off half-way; and a
 * para-virtual KVM (kvm-pvm) opens, creates VMs and answers every capability, but emulates a stock
 * guest one instruction at a time, at about a microsecond each, and cannot emulate all of them: it
 * fails in the exception stage, with an internal error on INT3.
 */
public final class KvmProbe {
  /** The answer. */
  public sealed interface Result {
    /** One sentence for the user, without a full stop. */
    String sentence();

    /** A stock kernel can run. */
    record Usable() implements Result {
      @Override
      public String sentence() {
        return Kvm.DEVICE + " can run a stock kernel";
      }
    }

    /**
     * There is no KVM.
     *
     * @param cause what opening it says
     */
    record Absent(String cause) implements Result {
      @Override
      public String sentence() {
        return "there is no " + Kvm.DEVICE + " (" + cause + ")";
      }
    }

    /**
     * There is KVM, but not for this user.
     *
     * @param cause what opening it says
     */
    record NoPermission(String cause) implements Result {
      @Override
      public String sentence() {
        return "no permission to use "
            + Kvm.DEVICE
            + " ("
            + cause
            + "): add yourself to group kvm and log in again";
      }
    }

    /**
     * There is KVM, but it cannot run a stock kernel.
     *
     * @param reason what it cannot do; a sentence without a full stop
     */
    record Unusable(String reason) implements Result {
      @Override
      public String sentence() {
        return Kvm.DEVICE + " cannot run a stock kernel: " + reason;
      }
    }
  }

  /** Everything that Spindle's machine is built on. */
  private static final Map<Integer, String> NEEDED =
      Map.of(
          KvmCap.IRQCHIP, "KVM_CAP_IRQCHIP",
          KvmCap.USER_MEMORY, "KVM_CAP_USER_MEMORY",
          KvmCap.IRQFD, "KVM_CAP_IRQFD",
          KvmCap.IOEVENTFD, "KVM_CAP_IOEVENTFD",
          KvmCap.SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI",
          KvmCap.IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT");

  private static final long LIMIT_MILLIS = TimeUnit.SECONDS.toMillis(10);

  private KvmProbe() {}

  /**
   * Runs the probe: a few milliseconds on real KVM, some hundred where KVM itself runs in software
   * emulation, at most about ten seconds.
   */
  public static Result run() {
    try (Kvm kvm = Kvm.open()) {
      return probe(kvm);
    } catch (LinuxException e) {
      return switch (e.errno()) {
        case Errno.ENOENT, Errno.ENXIO, Errno.ENODEV -> new Result.Absent(e.getMessage());
        case Errno.EACCES, Errno.EPERM -> new Result.NoPermission(e.getMessage());
        default -> new Result.Unusable(e.getMessage());
      };
    }
  }

  private static Result probe(Kvm kvm) throws LinuxException {
    int version = kvm.apiVersion();
    if (version != Kvm.API_VERSION) {
      return new Result.Unusable("its API has version " + version + ", not " + Kvm.API_VERSION);
    }
    for (Map.Entry<Integer, String> capability : NEEDED.entrySet()) {
      if (kvm.checkExtension(capability.getKey()) == 0) {
        return new Result.Unusable("it lacks " + capability.getValue());
      }
    }
    try {
      return runGuest(kvm);
    } catch (LinuxException e) {
      // Whatever fails now is not a question of permission to open the device.
      return new Result.Unusable(e.getMessage());
    }
  }

  private static Result runGuest(Kvm kvm) throws LinuxException {
    try (Mapping memory = Mapping.anonymous(ProbeGuest.MEMORY_SIZE);
        Vm vm = kvm.createVm()) {
      vm.createIrqchip();
      vm.setUserMemoryRegion(0, 0, 0, memory.segment());
      ProbeGuest.load(memory.segment());
      try (Vcpu vcpu = vm.createVcpu(0)) {
        vcpu.setCpuid(kvm.supportedCpuid());
        ProbeGuest.start(vcpu);
        ProbeRun run = new ProbeRun(vcpu);
        Thread thread = Thread.ofPlatform().daemon().name("kvm-probe").start(run);
        if (!joined(thread, LIMIT_MILLIS)) {
          run.giveUp();
          joined(thread, Long.MAX_VALUE);
        }
        return run.result();
      }
    }
  }

  /** Waits for a thread that must not outlive what it works with, whoever interrupts. */
  private static boolean joined(Thread thread, long millis) {
    boolean interrupted = false;
    try {
      long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
      while (true) {
        try {
          return thread.join(Duration.ofNanos(deadline - System.nanoTime()));
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** The vCPU's thread. */
  private static final class ProbeRun implements Runnable {
    private final Vcpu vcpu;
    private volatile boolean givenUp;

    // Written by the vCPU's thread, read after it has ended.
    private int stage;
    private Result result;

    ProbeRun(Vcpu vcpu) {
      this.vcpu = vcpu;
    }

    Result result() {
      return result;
    }

    void giveUp() throws LinuxException {
      givenUp = true;
      vcpu.kick();
    }

    @Override
    public void run() {
      try {
        vcpu.attach();
        try {
          result = runStages();
        } finally {
          vcpu.detach();
        }
      } catch (LinuxException e) {
        result = stuck(e.getMessage());
      }
    }

    private Result runStages() throws LinuxException {
      while (stage < ProbeGuest.STAGES.size()) {
        VcpuExit exit = vcpu.run();
        KvmRun run = vcpu.kvmRun();
        switch (exit) {
          case IO -> {
            if (run.ioPort() != ProbeGuest.STAGE_PORT || run.ioData(0) != stage + 1) {
              return stuck("it went astray");
            }
            stage++;
          }
          case INTERRUPTED -> {
            if (givenUp) {
              return stuck("not done in " + LIMIT_MILLIS / 1000 + " seconds");
            }
          }
          case INTERNAL_ERROR -> {
            return stuck("KVM internal error " + run.internalSuberror());
          }
          case FAIL_ENTRY -> {
            return stuck("KVM entry failure 0x" + Long.toHexString(run.failEntryReason()));
          }
          default -> {
            return stuck("KVM exit " + exit.name().toLowerCase(Locale.ROOT));
          }
        }
      }
      return new Result.Usable();
    }

    private Result stuck(String what) {
      return new Result.Unusable(
          "its guest could not " + ProbeGuest.STAGES.get(stage) + " (" + what + ")");
    }
  }
}

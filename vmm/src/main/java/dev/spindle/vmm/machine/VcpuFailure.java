// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.linux.LinuxException;
import dev.spindle.linux.kvm.KvmRun;
import dev.spindle.linux.kvm.Regs;
import dev.spindle.linux.kvm.Regs.Register;
import dev.spindle.linux.kvm.Sregs;
import dev.spindle.linux.kvm.Sregs.ControlRegister;
import dev.spindle.linux.kvm.Sregs.SegmentRegister;
import dev.spindle.linux.kvm.Vcpu;
import dev.spindle.linux.kvm.VcpuExit;
import java.util.Locale;

/** Puts a vCPU's fatal exit into words. */
final class VcpuFailure {
  private VcpuFailure() {}

  /** Returns a sentence that says why the vCPU cannot go on. */
  static String describe(int id, VcpuExit exit, KvmRun run) {
    String vcpu = "vCPU " + id;
    return switch (exit) {
      case INTERNAL_ERROR ->
          run.internalSuberror() == KvmRun.INTERNAL_ERROR_EMULATION
              ? vcpu + " met an instruction that KVM cannot emulate"
              : vcpu + " met KVM internal error " + run.internalSuberror() + internalData(run);
      case FAIL_ENTRY ->
          String.format(
              Locale.ROOT,
              "%s was refused by the processor (reason 0x%x)",
              vcpu,
              run.failEntryReason());
      default ->
          vcpu + " left the guest for KVM exit reason " + run.exitReason() + ", unexpectedly";
    };
  }

  private static String internalData(KvmRun run) {
    StringBuilder data = new StringBuilder();
    for (int i = 0; i < run.internalDataCount(); i++) {
      data.append(i == 0 ? " with data " : ", ").append(hex(run.internalData(i)));
    }
    return data.toString();
  }

  /** Returns the vCPU's registers, four to a line. */
  static String registers(Vcpu vcpu) {
    try {
      StringBuilder text = new StringBuilder();
      Regs regs = vcpu.regs();
      int column = 0;
      for (Register register : Register.values()) {
        append(text, register.name(), regs.get(register), column++);
      }
      Sregs sregs = vcpu.sregs();
      for (ControlRegister register : ControlRegister.values()) {
        append(text, register.name(), sregs.get(register), column++);
      }
      for (SegmentRegister register : SegmentRegister.values()) {
        append(text, register.name(), sregs.segment(register).selector(), column++);
      }
      return text.toString();
    } catch (LinuxException e) {
      return "registers cannot be read: " + e.getMessage();
    }
  }

  private static void append(StringBuilder text, String name, long value, int column) {
    text.append(column % 4 == 0 ? "\n  " : "  ");
    text.append(String.format(Locale.ROOT, "%-9s %s", name, hex(value)));
  }

  private static String hex(long value) {
    return String.format(Locale.ROOT, "%016x", value);
  }
}

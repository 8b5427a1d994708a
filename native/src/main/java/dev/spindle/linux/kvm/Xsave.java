// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

/** A vCPU's extended processor state ({@code struct kvm_xsave}), in the CPU's XSAVE format. */
public final class Xsave extends VcpuState {
  /** Makes a buffer of zeroes. */
  public Xsave() {
    super("XSAVE", KvmIoctl.GET_XSAVE, KvmIoctl.SET_XSAVE, VcpuLayouts.Xsave.SIZE);
  }
}

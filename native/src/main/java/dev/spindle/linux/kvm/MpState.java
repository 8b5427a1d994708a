// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.internal.CConstants;

/** Whether a vCPU runs (KVM_MP_STATE_*). */
@CConstants(headers = "linux/kvm.h", prefix = "KVM_MP_STATE_")
public enum MpState {
  /** It executes instructions. */
  RUNNABLE(0),
  /** An application processor that has not received INIT. */
  UNINITIALIZED(1),
  /** It has received INIT and waits for SIPI. */
  INIT_RECEIVED(2),
  /** It executed HLT and waits for an interrupt. */
  HALTED(3),
  /** It has received SIPI. */
  SIPI_RECEIVED(4);

  private final int number;

  MpState(int number) {
    this.number = number;
  }

  /** The kernel's number. */
  int number() {
    return number;
  }

  static MpState of(int number) {
    for (MpState state : values()) {
      if (state.number == number) {
        return state;
      }
    }
    throw new IllegalStateException("KVM reports an unknown MP state " + number);
  }
}

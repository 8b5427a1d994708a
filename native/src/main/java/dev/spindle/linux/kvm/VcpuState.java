// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A part of a vCPU's state: a buffer that {@link Vcpu#get} fills from the vCPU and {@link Vcpu#set}
 * stores into it. Reusable; for one thread at a time.
 */
public abstract sealed class VcpuState
    permits Regs, Sregs, Fpu, LapicState, VcpuEvents, Xsave, Xcrs, DebugRegs {
  private final String name;
  private final long getRequest;
  private final long setRequest;
  final MemorySegment memory;

  VcpuState(String name, long getRequest, long setRequest, int size) {
    this.name = name;
    this.getRequest = getRequest;
    this.setRequest = setRequest;
    this.memory = Arena.ofAuto().allocate(size, 8);
  }

  /** The part of the ioctls' names after KVM_GET_ and KVM_SET_. */
  final String name() {
    return name;
  }

  final long getRequest() {
    return getRequest;
  }

  final long setRequest() {
    return setRequest;
  }

  /** The whole state as bytes, in the kernel's layout. */
  public final byte[] toBytes() {
    return memory.toArray(ValueLayout.JAVA_BYTE);
  }

  /**
   * Replaces the whole state.
   *
   * @param bytes as {@link #toBytes} of the same class gave them
   */
  public final void fromBytes(byte[] bytes) {
    if (bytes.length != memory.byteSize()) {
      throw new IllegalArgumentException(
          name + " takes " + memory.byteSize() + " bytes, not " + bytes.length);
    }
    memory.copyFrom(MemorySegment.ofArray(bytes));
  }
}

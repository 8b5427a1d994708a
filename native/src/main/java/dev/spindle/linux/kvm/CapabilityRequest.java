// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.kvm.VmLayouts.EnableCap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What KVM_ENABLE_CAP takes. */
final class CapabilityRequest {
  private static final int MAX_ARGUMENTS = 4;

  private CapabilityRequest() {}

  /** A {@code struct kvm_enable_cap}. */
  static MemorySegment of(Arena arena, int capability, long[] arguments) {
    if (arguments.length > MAX_ARGUMENTS) {
      throw new IllegalArgumentException("a capability takes at most four arguments");
    }
    MemorySegment request = arena.allocate(EnableCap.SIZE, 8);
    request.set(ValueLayout.JAVA_INT, EnableCap.CAP, capability);
    for (int i = 0; i < arguments.length; i++) {
      request.set(ValueLayout.JAVA_LONG, EnableCap.ARGS + 8L * i, arguments[i]);
    }
    return request;
  }
}

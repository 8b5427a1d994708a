// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.vmm.boot.BootMemory;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Guest memory as the boot loader wants it. */
record GuestBootMemory(GuestMemory memory) implements BootMemory {
  @Override
  public List<Ram> ram() {
    return memory.regions().stream()
        .map(region -> new Ram(region.address(), region.size()))
        .toList();
  }

  @Override
  public MemorySegment slice(long base, long length) {
    return memory.slice(base, length);
  }
}

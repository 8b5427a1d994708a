// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** The guest's RAM as a boot loader sees it. */
public interface BootMemory {
  /** A range of RAM: guest-physical address of its first byte, and its length in bytes. */
  record Ram(long base, long length) {}

  /** Returns the RAM ranges in ascending order; the first starts at 0 and ends below 4 GiB. */
  List<Ram> ram();

  /**
   * Returns {@code length} bytes of RAM from guest-physical address {@code base}.
   *
   * @throws IndexOutOfBoundsException if they do not lie within one range
   */
  MemorySegment slice(long base, long length);

  /** Returns the end of the RAM that starts at address 0, in bytes. */
  default long lowEnd() {
    return ram().getFirst().length();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

import java.lang.foreign.MemorySegment;

/** What a driver can do, told by what it has. */
final class Overridden {
  private Overridden() {}

  static boolean write(DiskDriver driver) {
    try {
      return driver
              .getClass()
              .getMethod("write", MemorySegment.class, long.class)
              .getDeclaringClass()
          != DiskDriver.class;
    } catch (NoSuchMethodException e) {
      throw new IllegalStateException("every driver has that method", e);
    }
  }
}

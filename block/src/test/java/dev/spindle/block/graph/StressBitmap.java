// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.bitmap.DirtyBitmap;
import java.util.Arrays;
import java.util.OptionalLong;

/** A dirty bitmap on a disk that is in use: it must tell of everything that has changed since. */
final class StressBitmap {
  private static final int GRANULE = 512;

  private final RamNode disk;
  private final DirtyBitmap bitmap;
  private final byte[] before;

  /** Adds one. Control side. */
  StressBitmap(RamNode disk) throws BlockException {
    this.disk = disk;
    try (DrainedSection section = DrainedSection.begin(disk)) {
      bitmap = disk.bitmaps().add("stress", OptionalLong.of(GRANULE));
      before = disk.bytes();
    }
  }

  RamNode disk() {
    return disk;
  }

  /** Looks whether it is right, and removes it. Control side. */
  void remove() throws BlockException {
    try (DrainedSection section = DrainedSection.begin(disk)) {
      byte[] now = disk.bytes();
      for (int at = 0; at < now.length; at += GRANULE) {
        int end = at + GRANULE;
        if (!Arrays.equals(now, at, end, before, at, end)
            && bitmap.bits().nextDirty(at, end) != at) {
          disk.violation.compareAndSet(null, "bitmap: a write at " + at + " is not marked");
        }
      }
      disk.bitmaps().remove(bitmap);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.bitmap.DirtyBitmap;
import java.util.List;
import java.util.Optional;

/** What an image is to hold whose size is asked for. */
public interface MeasuredSource {
  /**
   * How many bytes there are in those units of it that hold data.
   *
   * @param unit bytes, a power of two; the first unit begins at 0
   */
  long dataBytes(long unit);

  /** The bitmaps that could be copied; empty if it is no image that keeps any. */
  Optional<List<DirtyBitmap>> bitmaps();
}

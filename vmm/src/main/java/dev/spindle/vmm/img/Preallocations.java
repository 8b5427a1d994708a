// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.image.PreallocatingImage;
import dev.spindle.block.image.Preallocation;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;

/** Space that an image takes before it is written to, as users ask for it. */
public final class Preallocations {
  private Preallocations() {}

  /**
   * Reads what was given.
   *
   * @param word may be null
   */
  public static Preallocation parse(String word) throws ToolException {
    for (Preallocation one : Preallocation.values()) {
      if (one.word().equals(word)) {
        return one;
      }
    }
    if (word == null) {
      return Preallocation.OFF;
    }
    throw new ToolException("Invalid preallocation mode '" + word + "'");
  }

  /** Takes the space for what an image has from an offset on. */
  static void allocate(ImgSession session, ToolImage image, long from, Preallocation mode)
      throws ToolException {
    if (!(image.node() instanceof PreallocatingImage preallocating)) {
      throw new ToolException("Unsupported preallocation mode: " + mode.word());
    }
    session
        .blocks()
        .control(
            () -> {
              preallocating.preallocate(from, mode);
              return null;
            });
  }
}

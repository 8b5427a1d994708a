// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.graph.BlockException;
import java.util.Set;
import java.util.function.Consumer;

/** For a format's node: an image whose metadata can be checked. */
public interface CheckableImage {
  /** What a check may mend. */
  enum Repair {
    /** Clusters that nothing refers to. */
    LEAKS,
    /** Everything else. */
    ERRORS
  }

  /**
   * What was found.
   *
   * @param corruptions errors that may cost data, not mended
   * @param leaks clusters that nothing refers to, not mended
   * @param checkErrors what could not be looked at
   * @param corruptionsFixed errors that were mended
   * @param leaksFixed leaks that were mended
   * @param imageEndOffset where the last used cluster ends, bytes; 0 if not known
   * @param clusters what the image could hold
   * @param allocated of those
   * @param fragmented of those that are allocated
   * @param compressed of those that are allocated
   */
  record Result(
      long corruptions,
      long leaks,
      long checkErrors,
      long corruptionsFixed,
      long leaksFixed,
      long imageEndOffset,
      long clusters,
      long allocated,
      long fragmented,
      long compressed) {}

  /**
   * Looks through it. Control side; waits. Nothing else uses the image.
   *
   * @param repairs what to mend
   * @param messages gets a line for each thing found or mended, without an end of line
   * @throws BlockException if it cannot be checked at all
   */
  Result checkImage(Set<Repair> repairs, Consumer<String> messages) throws BlockException;
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.graph.BlockException;
import java.util.Optional;
import java.util.OptionalInt;

/** For a format's node: an image of which some of what it was made with can be changed. */
public interface AmendableImage {
  /**
   * What is to change; what is empty stays.
   *
   * @param version of the format
   * @param lazyRefcounts whether refcounts may be written late
   * @param refcountBits the width of a refcount
   */
  record Amendment(
      OptionalInt version, Optional<Boolean> lazyRefcounts, OptionalInt refcountBits) {}

  /**
   * Refuses what cannot be; changes nothing.
   *
   * @throws BlockException why
   */
  void checkAmendment(Amendment amendment) throws BlockException;

  /**
   * Changes the image. For somebody who may write to the node, and who closes it next. Control
   * side; waits, and keeps requests off meanwhile.
   *
   * @throws BlockException if it cannot be, or the image cannot be written
   */
  void amend(Amendment amendment) throws BlockException;
}

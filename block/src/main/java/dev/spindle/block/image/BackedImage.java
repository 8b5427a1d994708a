// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.BlockException;
import java.util.Optional;

/**
 * For a format's node: an image that may have a backing file, which it names. The link to that file
 * is a child with {@link dev.spindle.block.graph.ChildRole#COW}, which may lead elsewhere, come and
 * go while the node is used; what the image says of it is changed here alone.
 */
public interface BackedImage {
  /** What the image says. Control side. */
  Optional<BackingName> backingFile();

  /**
   * Has the image say something else, and makes that durable. The node can be written. Control
   * side, in a section in which the node stands still; waits.
   *
   * @param backing nothing for an image that stands alone
   * @throws BlockException if that cannot be said, or written; the image says what it did, then
   */
  void changeBackingFile(Optional<BackingName> backing) throws BlockException;
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

/**
 * For a format's node: an image that holds whole clusters packed where a request allows it ({@link
 * dev.spindle.block.graph.BlockRequest#mayPack}).
 */
public interface PackedImage {
  /** What is packed as one, bytes; a power of two, or 0 if this image takes none. Any thread. */
  int packedBytes();
}

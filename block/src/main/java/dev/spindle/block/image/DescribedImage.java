// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.graph.BlockException;

/** For a format's node: says what there is to say of an image. */
public interface DescribedImage {
  /** What {@code img info} tells. Control side; may wait. */
  ImageDescription describeImage() throws BlockException;
}

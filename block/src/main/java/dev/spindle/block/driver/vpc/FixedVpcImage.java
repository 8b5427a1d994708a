// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vpc;

import dev.spindle.block.format.Extent;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageIo;

/** A fixed VHD: the disk as it is, and a footer behind it. */
final class FixedVpcImage extends Image {
  private final long size;

  FixedVpcImage(long size) {
    this.size = size;
  }

  @Override
  public long length() {
    return size;
  }

  @Override
  public Extent map(ImageIo io, long offset, long length) {
    return new Extent.Data(0, offset, length);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vpc;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;

/** {@code driver=vpc}: VHD images, fixed and dynamic, without parents. */
public final class VpcDriver extends FormatDriver implements ImageProbe {
  private static final Magic MAGIC = Magic.at(0, "conectix");

  /** For ServiceLoader. */
  public VpcDriver() {
    super("vpc", true, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> open(image.file());
  }

  private static Image open(ImageFile file) throws ImageException {
    VpcFooter footer = VpcFooter.read(file);
    if (footer.isDynamic()) {
      return DynamicVpcImage.open(file, footer);
    }
    if (footer.size() > file.length() - VpcFooter.BYTES) {
      throw new ImageException(
          "%s has %d bytes, too few for a disk of %d and the footer"
              .formatted(file.name(), file.length(), footer.size()));
    }
    return new FixedVpcImage(footer.size());
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    // Fixed disks have it at their end alone, where nobody looks: data may end like that.
    return MAGIC.isIn(head) ? 100 : 0;
  }
}

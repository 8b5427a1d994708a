// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.bochs;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;

/** {@code driver=bochs}: Bochs' growing disk images, read-only. */
public final class BochsDriver extends FormatDriver implements ImageProbe {
  private static final Magic MAGIC = Magic.at(0, "Bochs Virtual HD Image\0");
  private static final Magic TYPE = Magic.at(32, "Redolog\0");
  private static final Magic SUBTYPE = Magic.at(48, "Growing\0");

  /** For ServiceLoader. */
  public BochsDriver() {
    super("bochs", false, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> BochsImage.open(image.file());
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    return MAGIC.isIn(head) && TYPE.isIn(head) && SUBTYPE.isIn(head) ? 100 : 0;
  }
}

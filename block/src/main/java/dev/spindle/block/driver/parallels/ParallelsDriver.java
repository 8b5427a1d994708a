// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.parallels;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;

/** {@code driver=parallels}: Parallels' expanding disk images (one {@code .hds} file). */
public final class ParallelsDriver extends FormatDriver implements ImageProbe {
  private static final Magic MAGIC = Magic.at(0, ParallelsHeader.MAGIC);
  private static final Magic MAGIC_EXTENDED = Magic.at(0, ParallelsHeader.MAGIC_EXTENDED);
  private static final Magic VERSION = Magic.at(16, "\2\0\0\0");

  /** For ServiceLoader. */
  public ParallelsDriver() {
    super("parallels", true, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> new ParallelsImage(ParallelsHeader.read(image.file()));
  }

  @Override
  protected boolean isChecked() {
    return true;
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    return (MAGIC.isIn(head) || MAGIC_EXTENDED.isIn(head)) && VERSION.isIn(head) ? 100 : 0;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.dmg;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;

/** {@code driver=dmg}: Apple's disk images, packed with zlib or not at all, read-only. */
public final class DmgDriver extends FormatDriver implements ImageProbe {

  /** For ServiceLoader. */
  public DmgDriver() {
    super("dmg", false, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> DmgImage.open(image.file());
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    // What tells them is at their end.
    return filename.endsWith(".dmg") ? 2 : 0;
  }
}

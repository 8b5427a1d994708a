// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.parallels;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.Options;

/** {@code driver=parallels}: Parallels' expanding disk images (one {@code .hds} file). */
public final class ParallelsDriver extends FormatDriver {
  /** For ServiceLoader. */
  public ParallelsDriver() {
    super("parallels", true, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> new ParallelsImage(ParallelsHeader.read(image.file()));
  }
}

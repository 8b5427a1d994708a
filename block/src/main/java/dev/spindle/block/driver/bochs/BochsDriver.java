// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.bochs;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.Options;

/** {@code driver=bochs}: Bochs' growing disk images, read-only. */
public final class BochsDriver extends FormatDriver {
  /** For ServiceLoader. */
  public BochsDriver() {
    super("bochs", false, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> BochsImage.open(image.file());
  }
}

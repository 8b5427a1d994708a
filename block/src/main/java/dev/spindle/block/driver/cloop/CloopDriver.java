// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.cloop;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.Options;

/** {@code driver=cloop}: compressed loop images, version 2, read-only. */
public final class CloopDriver extends FormatDriver {
  /** For ServiceLoader. */
  public CloopDriver() {
    super("cloop", false, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> CloopImage.open(image.file());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vdi;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.Options;

/** {@code driver=vdi}: VirtualBox's disk images, dynamic and static, without parents. */
public final class VdiDriver extends FormatDriver {
  /** For ServiceLoader. */
  public VdiDriver() {
    super("vdi", true, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> VdiImage.open(image.file());
  }
}

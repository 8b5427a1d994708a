// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vdi;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;

/** {@code driver=vdi}: VirtualBox's disk images, dynamic and static, without parents. */
public final class VdiDriver extends FormatDriver implements ImageProbe {
  private static final Magic MAGIC = Magic.at(VdiHeader.AT_SIGNATURE, "\u007f\u0010\u00da\u00be");

  /** For ServiceLoader. */
  public VdiDriver() {
    super("vdi", true, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> VdiImage.open(image.file());
  }

  @Override
  protected boolean isChecked() {
    return true;
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    return MAGIC.isIn(head) ? 100 : 0;
  }
}

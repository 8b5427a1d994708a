// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.cloop;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;

/** {@code driver=cloop}: compressed loop images, version 2, read-only. */
public final class CloopDriver extends FormatDriver implements ImageProbe {
  /** The script with which an image mounts itself. */
  private static final Magic MAGIC = Magic.at(0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop ");

  /** For ServiceLoader. */
  public CloopDriver() {
    super("cloop", false, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return image -> CloopImage.open(image.file());
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    // A script that somebody wrote may begin like that, too.
    return MAGIC.isIn(head) ? 2 : 0;
  }
}

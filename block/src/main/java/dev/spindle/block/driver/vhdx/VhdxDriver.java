// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import dev.spindle.block.format.FormatDriver;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageOpening;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;

/** {@code driver=vhdx}: VHDX images, fixed and dynamic, without parents. */
public final class VhdxDriver extends FormatDriver implements ImageProbe {
  private static final Magic MAGIC = Magic.at(0, "vhdxfile");

  /** For ServiceLoader. */
  public VhdxDriver() {
    super("vhdx", true, false);
  }

  @Override
  protected Opener read(Options options, OpeningOptions opening) {
    return VhdxDriver::open;
  }

  private static Image open(ImageOpening opening) throws ImageException {
    ImageFile file = opening.file();
    VhdxHeader header = VhdxHeader.read(file);
    boolean replay = !header.logIsEmpty();
    if (replay) {
      if (opening.readOnly()) {
        throw new ImageException(
            file.name() + " has a log to be replayed, and cannot be opened read-only before that");
      }
      header = VhdxLog.replay(file, header);
    }
    VhdxRegions regions = VhdxRegions.read(file, header);
    return new VhdxImage(header, regions, VhdxMetadata.read(file, regions), replay);
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

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.graph.BlockException;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.List;
import java.util.OptionalLong;

/** Gives an image the persistent bitmaps of another. */
final class BitmapCopy {
  private final ImgSession session;
  private final List<DirtyBitmap> bitmaps;

  private BitmapCopy(ImgSession session, List<DirtyBitmap> bitmaps) {
    this.session = session;
    this.bitmaps = bitmaps;
  }

  /**
   * Of an image that is to be copied.
   *
   * @param sources all that are to be copied
   * @param skipBroken whether to leave out inconsistent ones, rather than refuse them
   * @throws ToolException if it has none that can be copied
   */
  static BitmapCopy of(ImgSession session, List<ToolImage> sources, boolean skipBroken)
      throws ToolException {
    if (sources.size() > 1) {
      throw new ToolException("Copying bitmaps only possible with single source");
    }
    DirtyBitmaps all = sources.getFirst().node().bitmaps();
    if (!all.canPersist()) {
      throw new ToolException("Source lacks bitmap support");
    }
    for (DirtyBitmap bitmap : all.persistent()) {
      if (bitmap.inconsistent() && !skipBroken) {
        throw new ToolException(
            "Cannot copy inconsistent bitmap '%s'\n%sTry --skip-broken-bitmaps, or use '%s bitmap --remove' to delete it"
                .formatted(bitmap.name(), ImgSession.HINT, session.output().program()));
      }
    }
    return new BitmapCopy(session, all.persistent());
  }

  /** Refuses an image that cannot have them. */
  void checkTarget(ToolImage target) throws ToolException {
    if (!target.node().bitmaps().canPersist()) {
      throw new ToolException(
          "Format driver '%s' does not support bitmaps".formatted(target.node().driver()));
    }
  }

  /** Gives them to an image that holds the same data. */
  void run(ToolImage target) throws ToolException {
    for (DirtyBitmap bitmap : bitmaps) {
      if (bitmap.inconsistent()) {
        session.output().error("warning: Skipping inconsistent bitmap '" + bitmap.name() + "'");
      } else {
        session.blocks().control(() -> copy(bitmap, target.node().bitmaps()));
      }
    }
    session
        .blocks()
        .control(
            () -> {
              target.node().bitmaps().store();
              return null;
            });
  }

  /** Control side. */
  private static Void copy(DirtyBitmap bitmap, DirtyBitmaps target) throws BlockException {
    DirtyBitmap made;
    try {
      made = target.addPersistent(bitmap.name(), OptionalLong.of(bitmap.granularity()));
    } catch (BlockException e) {
      throw new BlockException(
          "Failed to create bitmap %s: %s".formatted(bitmap.name(), e.getMessage()), e);
    }
    if (!bitmap.recording()) {
      target.disable(made);
    }
    try {
      target.merge(made, List.of(bitmap));
    } catch (BlockException e) {
      target.remove(made);
      throw new BlockException(
          "Failed to populate bitmap %s: %s".formatted(bitmap.name(), e.getMessage()), e);
    }
    return null;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.graph.BlockException;
import java.util.Locale;
import java.util.Optional;

/** What a job copies that copies a node: QAPI's MirrorSyncMode. */
public enum SyncMode {
  /** All that the node shows. */
  FULL,
  /** What the node holds itself, rather than its backing files; all if it has none. */
  TOP,
  /** Nothing but what is written from its creation on. */
  NONE,
  /** What a dirty bitmap says, which is then clean. */
  INCREMENTAL,
  /** What a dirty bitmap says; its user says what becomes of it. */
  BITMAP;

  /**
   * Refuses a bitmap where none is used, no bitmap where one is, and what may not become of it.
   *
   * @param bitmap what the user names
   * @param mode what is to become of it
   */
  public void checkBitmap(Optional<SyncBitmap> bitmap, BitmapMode mode) throws BlockException {
    boolean needed = this == INCREMENTAL || this == BITMAP;
    if (needed && bitmap.isEmpty()) {
      throw new BlockException("Must provide a valid bitmap name for '" + this + "' sync mode");
    }
    if (!needed && bitmap.isPresent()) {
      throw new BlockException("Sync mode '" + this + "' is not compatible with bitmaps");
    }
    if (this == INCREMENTAL && mode != BitmapMode.ON_SUCCESS) {
      throw new BlockException(
          "Bitmap sync mode must be 'on-success' when using sync mode 'incremental'");
    }
  }

  /** As QAPI spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}

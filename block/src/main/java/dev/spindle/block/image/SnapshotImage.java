// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.graph.BlockException;
import java.util.List;

/** For a format's node: an image that keeps snapshots in itself. Control side; may wait. */
public interface SnapshotImage {
  /** What there are, in the image's order. */
  List<SnapshotDescription> snapshots();

  /**
   * Keeps the image as it is now.
   *
   * @param snapshot its {@code id} is empty: the image finds one
   */
  void createSnapshot(SnapshotDescription snapshot) throws BlockException;

  /** Makes the image what it was. Nothing is on its way to it. */
  void applySnapshot(SnapshotDescription snapshot) throws BlockException;

  /** Keeps it no more. */
  void deleteSnapshot(SnapshotDescription snapshot) throws BlockException;
}

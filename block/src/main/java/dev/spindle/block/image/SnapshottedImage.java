// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.graph.BlockException;
import java.time.Instant;
import java.util.List;

/**
 * For a format's node: an image that keeps snapshots of the disk in itself. Control side; all
 * methods but the first wait, keep requests off meanwhile, and are for somebody who may write to
 * the node.
 */
public interface SnapshottedImage {
  /** Those that there are, in the image's order. */
  List<SnapshotDescription> snapshots();

  /**
   * Keeps the disk as it is now.
   *
   * @param name may be one that there is
   * @param time that the snapshot says it was made
   * @return its id
   * @throws BlockException if it cannot be; the image is as it was
   */
  String createSnapshot(String name, Instant time) throws BlockException;

  /**
   * Has the disk be as it was; what it is now is lost.
   *
   * @throws BlockException if there is no such snapshot, or it was one of a disk of another length
   */
  void applySnapshot(String id) throws BlockException;

  /**
   * Has the node show a snapshot instead of the disk, until it is closed. For a node that is
   * read-only.
   *
   * @throws BlockException if there is no such snapshot, or its tables cannot be read
   */
  void showSnapshot(String id) throws BlockException;

  /** Gives a snapshot up. */
  void deleteSnapshot(String id) throws BlockException;
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/** What a test breaks on purpose, to show that it would notice. */
enum Fault {
  NONE,
  /** A user's request goes down although his backend is quiesced. */
  PASSES_THE_GATE,
  /** A user goes on using the lane that he had before a move. */
  STAYS_ON_THE_OLD_LANE,
  /** A request never comes back. */
  LOSES_A_REQUEST,
  /** A request comes back twice. */
  COMPLETES_TWICE,
  /** A write is not seen by a mirror, as if it had not passed the filter. */
  PASSES_A_MIRROR_BY,
  /** A write destroys what a backup has not saved yet. */
  PASSES_A_BACKUP_BY,
  /** A write is not marked in a dirty bitmap. */
  PASSES_A_BITMAP_BY,
  /** A request is lost when its user gets other limits. */
  LOSES_A_THROTTLED_REQUEST,
  /** A filter that is reopened leads to another disk than before. */
  REOPENS_ON_ANOTHER_DISK;

  /** Whether writes go past the graph, to blocks that no other write repairs. */
  boolean passesBy() {
    return this == PASSES_A_MIRROR_BY || this == PASSES_A_BACKUP_BY || this == PASSES_A_BITMAP_BY;
  }
}

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
  COMPLETES_TWICE
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * Work put off to the end of a turn of the loop so that many events share it: a queue that
 * publishes its used entries and interrupts the guest once for a whole batch.
 */
public interface TurnEnd {
  /** Called once on the owner thread, before the context submits and waits. */
  void endTurn();
}

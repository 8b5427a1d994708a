// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

/** What a look-up has found out about the start of a range. Used again; one thread. */
final class Found {
  /** What there is; null if its piece of the L2 table is not in memory. */
  Entry.Kind kind;

  /** How much of the range is alike, and in one piece if it is data; bytes. */
  long length;

  /** DATA: where it is, in bytes. */
  long host;

  /** DATA: whether it may be written in place. */
  boolean inPlace;

  /** COMPRESSED: the descriptor. */
  long descriptor;
}

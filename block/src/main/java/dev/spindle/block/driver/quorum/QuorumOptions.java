// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * What a user says of a {@code quorum} node, in QAPI's words.
 *
 * @param threshold {@code vote-threshold}: how many children must agree, at least 1
 * @param rewriteCorrupted {@code rewrite-corrupted}: children that are outvoted are put right
 * @param fifo {@code read-pattern=fifo}: reads ask one child after the other until one succeeds
 */
record QuorumOptions(int threshold, boolean rewriteCorrupted, boolean fifo) {
  static QuorumOptions from(Options options, int children) throws OptionException {
    if (options.peek("vote-threshold").isEmpty()) {
      options.require("vote-threshold");
    }
    long threshold = options.number("vote-threshold", 0, Long.MIN_VALUE, Long.MAX_VALUE);
    boolean blkverify = options.bool("blkverify", false);
    boolean rewrite = options.bool("rewrite-corrupted", false);
    boolean fifo = options.choice("read-pattern", "quorum", "quorum", "fifo").equals("fifo");
    if (options.isNoting()) {
      return new QuorumOptions(1, rewrite, fifo);
    }
    if (threshold < 1) {
      throw new OptionException(
          options.owner() + ": parameter 'vote-threshold' expects a value >= 1");
    }
    if (threshold > children) {
      throw new OptionException(
          options.owner() + ": threshold may not exceed children number (" + children + ")");
    }
    if (blkverify && (children != 2 || threshold != 2)) {
      throw new OptionException(
          options.owner()
              + ": blkverify=on can only be set if there are exactly two files and vote-threshold"
              + " is 2");
    }
    if (blkverify && rewrite) {
      throw new OptionException(
          options.owner() + ": rewrite-corrupted=on cannot be used with blkverify=on");
    }
    return new QuorumOptions((int) threshold, rewrite && !fifo, fifo);
  }
}

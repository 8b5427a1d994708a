// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * What the node pretends not to be able to do at once, in bytes.
 *
 * @param align what offsets and lengths must be multiples of; a power of two
 * @param maxTransfer the most of a read or a write
 * @param optWriteZero what ranges of zeroes must be multiples of; the rest is written by hand
 * @param maxWriteZero the most of a range of zeroes
 * @param optDiscard what discarded ranges must be multiples of; the rest is kept
 * @param maxDiscard the most of a discarded range
 */
record DebugLimits(
    long align,
    long maxTransfer,
    long optWriteZero,
    long maxWriteZero,
    long optDiscard,
    long maxDiscard) {
  private static final long NO_LIMIT = Long.MAX_VALUE;

  /** A node that can do all that its child can. */
  static final DebugLimits NONE = new DebugLimits(1, NO_LIMIT, 1, NO_LIMIT, 1, NO_LIMIT);

  static DebugLimits from(Options options) throws OptionException {
    long align = given(options, "align", 1);
    if (Long.bitCount(align) != 1) {
      throw cannotMeet(options, "align", align);
    }
    long optWriteZero = multiple(options, "opt-write-zero", align, align);
    long optDiscard = multiple(options, "opt-discard", align, align);
    return new DebugLimits(
        align,
        multiple(options, "max-transfer", align, NO_LIMIT),
        optWriteZero,
        multiple(options, "max-write-zero", optWriteZero, NO_LIMIT),
        optDiscard,
        multiple(options, "max-discard", optDiscard, NO_LIMIT));
  }

  private static long multiple(Options options, String name, long of, long otherwise)
      throws OptionException {
    long value = given(options, name, otherwise);
    if (value != NO_LIMIT && value % of != 0) {
      throw cannotMeet(options, name, value);
    }
    return value;
  }

  /** 0 stands for the default. */
  private static long given(Options options, String name, long otherwise) throws OptionException {
    long value = options.size(name, 0);
    if (value > Integer.MAX_VALUE) {
      throw cannotMeet(options, name, value);
    }
    return value == 0 ? otherwise : value;
  }

  private static OptionException cannotMeet(Options options, String name, long value) {
    return new OptionException(
        options.owner() + ": Cannot meet constraints with " + name + " " + value);
  }
}

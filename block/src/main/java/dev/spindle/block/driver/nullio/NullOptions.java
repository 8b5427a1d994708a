// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nullio;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * What a user says of a null node.
 *
 * @param size bytes
 * @param latencyNs how long a request takes, nanoseconds
 * @param readZeroes whether reads fill their buffers; otherwise they leave them as they are
 * @param readOnly {@code read-only}
 * @param completesLater whether a request without latency still waits for the loop's next turn
 */
record NullOptions(
    long size, long latencyNs, boolean readZeroes, boolean readOnly, boolean completesLater) {
  static NullOptions from(Options options, boolean completesLater) throws OptionException {
    long size = options.size("size", 1L << 30);
    if (size % 512 != 0) {
      throw new OptionException(options.owner() + ": 'size' must be a multiple of 512 bytes");
    }
    return new NullOptions(
        size,
        options.number("latency-ns", 0, 0, Long.MAX_VALUE),
        options.bool("read-zeroes", false),
        options.bool("read-only", false),
        completesLater);
  }
}

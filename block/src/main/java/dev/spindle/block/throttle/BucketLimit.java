// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import dev.spindle.block.options.OptionException;
import java.util.Map;

/**
 * The limit of one kind of I/O, in bytes or in operations.
 *
 * @param average per second, from 0 to 10^15; 0 is no limit
 * @param max per second during bursts, from 0 to 10^15; 0 allows no bursts
 * @param maxLength of a burst at {@code max}, in seconds; from 1 on, and 1 if there are no bursts
 */
public record BucketLimit(long average, long max, long maxLength) {
  /** No limit. */
  public static final BucketLimit NONE = new BucketLimit(0, 0, 1);

  private static final long MOST = 1_000_000_000_000_000L;
  private static final long MOST_LENGTH = (1L << 32) - 1;

  /**
   * Checks what QEMU checks.
   *
   * @throws IllegalArgumentException if the numbers do not fit together, with QEMU's sentence
   */
  public BucketLimit {
    if (average < 0 || average > MOST || max < 0 || max > MOST) {
      throw new IllegalArgumentException("bps/iops/max values must be within [0, " + MOST + "]");
    }
    if (maxLength < 1) {
      throw new IllegalArgumentException("the burst length cannot be 0");
    }
    if (maxLength > 1 && max == 0) {
      throw new IllegalArgumentException("burst length set without burst rate");
    }
    if (max > 0 && maxLength > MOST / max) {
      throw new IllegalArgumentException("burst length too high for this burst rate");
    }
    if (max > 0 && average == 0) {
      throw new IllegalArgumentException("bps_max/iops_max require corresponding bps/iops values");
    }
    if (max > 0 && max < average) {
      throw new IllegalArgumentException("bps_max/iops_max cannot be lower than bps/iops");
    }
  }

  /** Reads {@code name}, {@code name-max} and {@code name-max-length}. */
  static BucketLimit read(LimitNumbers numbers, String name, BucketLimit otherwise)
      throws OptionException {
    long average = numbers.read(name, otherwise.average, 0, MOST);
    long max = numbers.read(name + "-max", otherwise.max, 0, MOST);
    long maxLength = numbers.read(name + "-max-length", otherwise.maxLength, 0, MOST_LENGTH);
    // QEMU's sentences do not say which.
    if (max > 0 && average == 0) {
      throw new IllegalArgumentException("%s-max needs %s".formatted(name, name));
    }
    if (max > 0 && max < average) {
      throw new IllegalArgumentException(
          "%s-max (%d) is less than %s (%d)".formatted(name, max, name, average));
    }
    return new BucketLimit(average, max, maxLength);
  }

  /** What {@link #read} takes, under the same names. */
  void addTo(Map<String, Long> numbers, String name) {
    numbers.put(name, average);
    numbers.put(name + "-max", max);
    numbers.put(name + "-max-length", maxLength);
  }
}

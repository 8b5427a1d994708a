// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * How much of an image's tables is held in memory.
 *
 * @param l2Bytes of the L2 tables; negative for what the image needs, 32 MiB at most
 * @param refcountBytes of the refcounts
 */
record Qcow2Caches(long l2Bytes, long refcountBytes) {
  /** Less is too little for a request that needs several tables at once. */
  private static final long LEAST = 16 << 10;

  private static final long REFCOUNTS = 1 << 20;

  /** Of memory that is given for both, refcounts get one part in so many. */
  private static final long PARTS = 5;

  /** Takes {@code cache-size}, {@code l2-cache-size} and {@code refcount-cache-size}. */
  static Qcow2Caches take(Options options) throws OptionException {
    long both = size(options, "cache-size");
    long l2 = size(options, "l2-cache-size");
    long refcounts = size(options, "refcount-cache-size");
    if (both >= 0 && l2 >= 0 && refcounts >= 0) {
      throw new OptionException(
          "cache-size, l2-cache-size and refcount-cache-size may not be set at the same time");
    }
    if (both >= 0 && l2 > both) {
      throw new OptionException("l2-cache-size may not exceed cache-size");
    }
    if (both >= 0 && refcounts > both) {
      throw new OptionException("refcount-cache-size may not exceed cache-size");
    }
    if (both < 0) {
      return new Qcow2Caches(
          l2 < 0 ? -1 : Math.max(LEAST, l2),
          Math.max(LEAST, refcounts < 0 ? REFCOUNTS : refcounts));
    }
    if (refcounts < 0) {
      refcounts = l2 < 0 ? both / PARTS : both - l2;
    }
    return new Qcow2Caches(
        Math.max(LEAST, l2 < 0 ? both - refcounts : l2), Math.max(LEAST, refcounts));
  }

  private static long size(Options options, String name) throws OptionException {
    long size = options.size(name, -1);
    if (size > Integer.MAX_VALUE) {
      throw new OptionException(
          "%s: parameter '%s' is %d; it may be %d at most"
              .formatted(options.owner(), name, size, Integer.MAX_VALUE));
    }
    return size;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * How an image is used.
 *
 * @param l2CacheBytes how much of the L2 tables is held in memory; negative for what the image
 *     needs, 32 MiB at most
 * @param refcountCacheBytes how much of the refcounts is
 * @param discard whether discards are carried out, and zeroes may give clusters up
 * @param detectZeroes what becomes of zeroes that are written
 * @param passRequest whether the file is told of clusters that a discard has given up
 * @param passOther whether it is told of others that are free
 */
record Qcow2Options(
    long l2CacheBytes,
    long refcountCacheBytes,
    boolean discard,
    DetectZeroes detectZeroes,
    boolean passRequest,
    boolean passOther) {
  /** The names of all of them. */
  static final String[] NAMES = {
    "cache-size",
    "l2-cache-size",
    "refcount-cache-size",
    "discard",
    "detect-zeroes",
    "pass-discard-request",
    "pass-discard-other",
    EncryptOption.NAME
  };

  static final Qcow2Options DEFAULT =
      new Qcow2Options(-1, 1 << 20, true, DetectZeroes.OFF, false, false);

  /** What becomes of zeroes that are written. */
  enum DetectZeroes {
    /** They are data. */
    OFF,
    /** They are zeroes without data. */
    ON,
    /** They give up what was there. */
    UNMAP
  }

  static Qcow2Options take(Options options) throws OptionException {
    Qcow2Caches caches = Qcow2Caches.take(options);
    String discard = options.choice("discard", "ignore", "ignore", "off", "unmap", "on");
    boolean discards = discard.equals("unmap") || discard.equals("on");
    DetectZeroes detect =
        switch (options.choice("detect-zeroes", "off", "off", "on", "unmap")) {
          case "off" -> DetectZeroes.OFF;
          case "on" -> DetectZeroes.ON;
          default -> DetectZeroes.UNMAP;
        };
    if (detect == DetectZeroes.UNMAP && !discards) {
      throw new OptionException(
          options.owner() + ": parameter 'detect-zeroes' is 'unmap', which takes discard=unmap");
    }
    return new Qcow2Options(
        caches.l2Bytes(),
        caches.refcountBytes(),
        discards,
        detect,
        options.bool("pass-discard-request", discards),
        options.bool("pass-discard-other", false));
  }
}

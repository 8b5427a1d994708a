// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How much I/O a throttle group lets pass: QAPI's ThrottleLimits.
 *
 * @param iopsTotal operations, of both directions together
 * @param iopsRead operations that read
 * @param iopsWrite operations that write
 * @param bpsTotal bytes, of both directions together
 * @param bpsRead bytes that are read
 * @param bpsWrite bytes that are written
 * @param iopsSize bytes from which on an operation counts as more than one, in proportion; 0 counts
 *     each as one
 */
public record ThrottleLimits(
    BucketLimit iopsTotal,
    BucketLimit iopsRead,
    BucketLimit iopsWrite,
    BucketLimit bpsTotal,
    BucketLimit bpsRead,
    BucketLimit bpsWrite,
    long iopsSize) {

  /** No limits. */
  public static final ThrottleLimits NONE =
      new ThrottleLimits(
          BucketLimit.NONE,
          BucketLimit.NONE,
          BucketLimit.NONE,
          BucketLimit.NONE,
          BucketLimit.NONE,
          BucketLimit.NONE,
          0);

  /**
   * Checks what QEMU checks.
   *
   * @throws IllegalArgumentException if the limits do not fit together, with QEMU's sentence
   */
  public ThrottleLimits {
    if (conflict(iopsTotal, iopsRead, iopsWrite) || conflict(bpsTotal, bpsRead, bpsWrite)) {
      throw new IllegalArgumentException(
          "bps/iops/max total values and read/write values cannot be used at the same time");
    }
    if (iopsSize < 0) {
      throw new IllegalArgumentException("iops size cannot be negative");
    }
    if (iopsSize > 0
        && iopsTotal.average() == 0
        && iopsRead.average() == 0
        && iopsWrite.average() == 0) {
      throw new IllegalArgumentException("iops size requires an iops value to be set");
    }
  }

  /** A maximum needs its average, so the averages tell. */
  private static boolean conflict(BucketLimit total, BucketLimit read, BucketLimit write) {
    return total.average() > 0 && (read.average() > 0 || write.average() > 0);
  }

  /** Whether anything is limited. */
  public boolean limited() {
    return !equals(NONE);
  }

  /**
   * Takes limits out of options: {@code iops-total}, {@code bps-read-max-length} and so on.
   *
   * @param prefix of their names: {@code throttling.} for a drive, else empty
   */
  public static ThrottleLimits parse(Options options, String prefix) throws OptionException {
    return NONE.changedBy(options, prefix);
  }

  /**
   * These limits but for those that are given: what setting a group's {@code limits} does.
   *
   * @param prefix of the names, or empty
   */
  public ThrottleLimits changedBy(Options options, String prefix) throws OptionException {
    return read(
        options,
        (name, otherwise, least, most) -> options.number(prefix + name, otherwise, least, most));
  }

  /**
   * Takes the limits out of the options of a {@code throttle-group} object: each as {@code
   * x-iops-total} or as {@code limits.iops-total}, and so on.
   */
  public static ThrottleLimits ofGroup(Options options) throws OptionException {
    return NONE.read(
        options,
        (name, otherwise, least, most) -> {
          String flat = "x-" + name;
          String nested = "limits." + name;
          if (options.peek(flat).isPresent() && options.peek(nested).isPresent()) {
            throw new OptionException(
                options.owner() + ": parameters '" + flat + "' and '" + nested + "' are the same");
          }
          long number = options.number(flat, otherwise, least, most);
          return options.number(nested, number, least, most);
        });
  }

  private ThrottleLimits read(Options options, LimitNumbers numbers) throws OptionException {
    try {
      return new ThrottleLimits(
          BucketLimit.read(numbers, "iops-total", iopsTotal),
          BucketLimit.read(numbers, "iops-read", iopsRead),
          BucketLimit.read(numbers, "iops-write", iopsWrite),
          BucketLimit.read(numbers, "bps-total", bpsTotal),
          BucketLimit.read(numbers, "bps-read", bpsRead),
          BucketLimit.read(numbers, "bps-write", bpsWrite),
          numbers.read("iops-size", iopsSize, 0, Long.MAX_VALUE));
    } catch (IllegalArgumentException e) {
      throw new OptionException(options.owner() + ": " + e.getMessage());
    }
  }

  /** Every number by QAPI's name, in QAPI's order: {@code iops-total-max-length}. */
  public Map<String, Long> numbers() {
    Map<String, Long> numbers = new LinkedHashMap<>();
    iopsTotal.addTo(numbers, "iops-total");
    iopsRead.addTo(numbers, "iops-read");
    iopsWrite.addTo(numbers, "iops-write");
    bpsTotal.addTo(numbers, "bps-total");
    bpsRead.addTo(numbers, "bps-read");
    bpsWrite.addTo(numbers, "bps-write");
    numbers.put("iops-size", iopsSize);
    return numbers;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * How long a context may busy-poll before it sleeps; names and meaning as QEMU's iothread object
 * has them.
 *
 * @param maxNs {@code poll-max-ns}: longest poll in nanoseconds; 0 switches polling off
 * @param grow {@code poll-grow}: factor for a longer poll; 0 stands for 2
 * @param shrink {@code poll-shrink}: divisor for a shorter poll; 0 goes straight to none
 */
public record PollOptions(long maxNs, long grow, long shrink) {
  /** QEMU's default for an iothread. */
  public static final PollOptions IOTHREAD = new PollOptions(32_768, 0, 0);

  /** No polling: the main loop's choice. */
  public static final PollOptions OFF = new PollOptions(0, 0, 0);

  /** Checks the ranges. */
  public PollOptions {
    if (maxNs < 0 || grow < 0 || shrink < 0) {
      throw new IllegalArgumentException(
          "poll-max-ns, poll-grow and poll-shrink must not be negative");
    }
  }
}

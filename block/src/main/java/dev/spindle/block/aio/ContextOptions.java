// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * How a context polls and batches; names and meaning as QEMU's iothread object has them.
 *
 * @param pollMaxNs {@code poll-max-ns}: how long the context may busy-poll before it sleeps, in
 *     nanoseconds; 0 switches polling off
 * @param pollGrow {@code poll-grow}: factor for a longer poll; 0 stands for 2
 * @param pollShrink {@code poll-shrink}: divisor for a shorter poll; 0 goes straight to none
 * @param maxBatch {@code aio-max-batch}: how many operations may wait to be submitted together; 0
 *     stands for {@value #DEFAULT_BATCH}
 */
public record ContextOptions(long pollMaxNs, long pollGrow, long pollShrink, long maxBatch) {
  /**
   * Enough that a system call is cheap for each, few enough that the disk does not wait while a
   * whole queue's requests are being prepared.
   */
  private static final long DEFAULT_BATCH = 8;

  /** QEMU's defaults for an iothread. */
  public static final ContextOptions IOTHREAD = new ContextOptions(32_768, 0, 0, 0);

  /** No polling: the main loop's choice. */
  public static final ContextOptions MAIN_LOOP = new ContextOptions(0, 0, 0, 0);

  /** Checks the ranges. */
  public ContextOptions {
    if (pollMaxNs < 0 || pollGrow < 0 || pollShrink < 0 || maxBatch < 0) {
      throw new IllegalArgumentException("an iothread's numbers must not be negative");
    }
  }

  /** The most operations that wait to be submitted together, at least 1. */
  int batch() {
    return (int) Math.min(Integer.MAX_VALUE, maxBatch == 0 ? DEFAULT_BATCH : maxBatch);
  }
}

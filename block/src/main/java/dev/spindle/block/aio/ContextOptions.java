// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * How a context polls and batches; names and meaning as QEMU's iothread object has them.
 *
 * @param pollMaxNs {@code poll-max-ns}: how long the context may busy-poll before it sleeps, in
 *     nanoseconds; 0 switches polling off. As long as this it waits for users who have just been
 *     answered, and a quarter of it for disks
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
  private static final long DEFAULT_BATCH = 4;

  /**
   * By the default of 32 µs that makes 8 µs for disks, about what it costs to sleep and be woken.
   * To poll a disk for longer takes more processor time than sleeping, for a wait that is hardly
   * shorter; a user's next request, though, costs him and us a wake-up each if nobody polls.
   */
  private static final long DISK_SHARE = 4;

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

  long diskPollMaxNs() {
    return pollMaxNs / DISK_SHARE;
  }

  /** The most operations that wait to be submitted together, at least 1. */
  int batch() {
    return (int) Math.min(Integer.MAX_VALUE, maxBatch == 0 ? DEFAULT_BATCH : maxBatch);
  }
}

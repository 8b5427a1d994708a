// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Notices whether writes to the target overlapped in time that may overlap in place. Whoever writes
 * to it says so before he reads or writes the source, and when the target is written. From any
 * thread, without a lock; may notice what was not, but misses nothing.
 */
final class Overlaps {
  private static final int BUCKETS = 1024;
  private static final int BUCKET_SHIFT = 16;

  /** The lower bits count who is at it, the upper ones who has begun. */
  private static final int BEGUN_SHIFT = 24;

  private static final long ONE = (1L << BEGUN_SHIFT) + 1;
  private static final long AT_IT = (1L << BEGUN_SHIFT) - 1;

  /** By a hash of the place. */
  private final AtomicLongArray buckets = new AtomicLongArray(BUCKETS);

  /** One write; may be used again. One thread at a time. */
  final class Span {
    private long first;
    private long last;
    private long begun;
    private boolean met;

    /** The write begins. */
    void begin(long offset, long length) {
      first = offset >>> BUCKET_SHIFT;
      last = Math.min((offset + length - 1) >>> BUCKET_SHIFT, first + BUCKETS - 1);
      begun = 0;
      met = false;
      for (long i = first; i <= last; i++) {
        long before = buckets.getAndAdd(index(i), ONE);
        met |= (before & AT_IT) != 0;
        begun += (before >>> BEGUN_SHIFT) + 1;
      }
    }

    /** The write has ended; true if it may have met another one. */
    boolean end() {
      for (long i = first; i <= last; i++) {
        begun -= buckets.getAndAdd(index(i), -1) >>> BEGUN_SHIFT;
      }
      return met || begun != 0;
    }

    private static int index(long place) {
      return (int) (place & (BUCKETS - 1));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * What a queue has done, counted by its own thread alone, so that counting costs a plain add; any
 * thread may read and sees a recent value.
 */
public final class VirtioBlkStats {
  /** What is counted. */
  public enum Counter {
    READS,
    READ_BYTES,
    WRITES,
    WRITE_BYTES,
    FLUSHES,
    DISCARDS,
    WRITE_ZEROES,
    FAILED,
    UNSUPPORTED,
    INTERRUPTS
  }

  private static final Counter[] COUNTERS = Counter.values();

  /** Added to by every queue's context; read by any thread. */
  private final AtomicLongArray values = new AtomicLongArray(COUNTERS.length);

  void add(Counter counter, long amount) {
    int index = counter.ordinal();
    values.setOpaque(index, values.getPlain(index) + amount);
  }

  /** The count so far. Any thread. */
  public long get(Counter counter) {
    return values.getOpaque(counter.ordinal());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class RateLimitTest {
  private static final long SECOND = 1_000_000_000;

  private final RateLimit limit = new RateLimit();

  @Test
  void noLimitNeverWaits() {
    assertEquals(0, limit.add(Long.MAX_VALUE, 5));
  }

  @Test
  void aTenthOfASecondPassesAtOnceAndTheRestIsWaitedFor() {
    limit.setSpeed(1000, 0);
    assertEquals(0, limit.add(100, 0));
    assertEquals(SECOND / 10, limit.add(100, 0));
    // What was paid for in the meantime is not waited for again.
    assertEquals(SECOND / 10, limit.add(100, SECOND / 10));
    assertEquals(0, limit.add(100, 3 * SECOND));
  }

  @Test
  void overTimeTheSpeedIsKept() {
    limit.setSpeed(1 << 20, 0);
    long now = 0;
    long bytes = 0;
    for (int i = 1; i < 1000; i++) {
      bytes += i * 512L;
      now += limit.add(i * 512L, now);
    }
    double seconds = (double) now / SECOND;
    assertEquals((double) bytes / (1 << 20), seconds, 0.11);
  }

  @Test
  void anotherSpeedForgetsWhatWasOwed() {
    limit.setSpeed(1, 0);
    assertTrue(limit.add(1 << 30, 0) > SECOND);
    limit.setSpeed(1 << 30, 7);
    assertEquals(0, limit.add(1 << 20, 7));
  }

  @Test
  void nothingOverflows() {
    limit.setSpeed(1, Long.MAX_VALUE - 5);
    assertTrue(limit.add(Long.MAX_VALUE, Long.MAX_VALUE - 5) > 0);
    assertTrue(limit.add(Long.MAX_VALUE, Long.MAX_VALUE - 5) > 0);
  }
}

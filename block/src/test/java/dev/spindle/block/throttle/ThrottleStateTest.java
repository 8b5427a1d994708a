// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import static dev.spindle.block.throttle.ThrottleDirection.READ;
import static dev.spindle.block.throttle.ThrottleDirection.WRITE;
import static dev.spindle.block.throttle.ThrottleWorld.SECOND;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

final class ThrottleStateTest {
  private static final BucketLimit NONE = BucketLimit.NONE;

  @Test
  void theLongestOfTheBucketsCounts() {
    ThrottleState state = new ThrottleState(0);
    BucketLimit reads = new BucketLimit(10, 0, 1);
    BucketLimit bytes = new BucketLimit(1000, 0, 1);
    state.configure(new ThrottleLimits(NONE, reads, NONE, bytes, NONE, NONE, 0), 0);
    state.account(READ, 500);
    assertEquals(4 * SECOND / 10, state.waitNs(READ, 0));
    assertEquals(4 * SECOND / 10, state.waitNs(WRITE, 0));
    for (int i = 0; i < 9; i++) {
      state.account(READ, 0);
    }
    assertEquals(9 * SECOND / 10, state.waitNs(READ, 0));
    assertEquals(4 * SECOND / 10, state.waitNs(WRITE, 0));
    assertEquals(SECOND / 10, state.waitNs(READ, 8 * SECOND / 10));
    assertEquals(0, state.waitNs(WRITE, 8 * SECOND / 10));
  }

  @Test
  void aTimeBeforeAnEarlierOneCountsAsThat() {
    ThrottleState state = new ThrottleState(10 * SECOND);
    state.configure(
        new ThrottleLimits(new BucketLimit(100, 0, 1), NONE, NONE, NONE, NONE, NONE, 0),
        10 * SECOND);
    assertEquals(0, state.waitNs(READ, 9 * SECOND));
    for (int i = 0; i < 20; i++) {
      state.account(READ, 512);
    }
    assertEquals(SECOND / 10, state.waitNs(READ, 9 * SECOND));
    assertEquals(SECOND / 10, state.waitNs(READ, 10 * SECOND));
    assertEquals(0, state.waitNs(READ, 10 * SECOND + SECOND / 10));
  }

  @Test
  void whatWasDoneUnderOldLimitsLeaksAtTheOldRate() {
    ThrottleState state = new ThrottleState(0);
    state.configure(
        new ThrottleLimits(NONE, NONE, NONE, NONE, NONE, new BucketLimit(1000, 0, 1), 0), 0);
    state.account(WRITE, 1000);
    state.configure(
        new ThrottleLimits(NONE, NONE, NONE, NONE, NONE, new BucketLimit(2000, 0, 1), 0),
        SECOND / 2);
    // 500 left after half a second, of which the larger bucket takes 200.
    state.account(WRITE, 200);
    assertEquals(SECOND / 10, state.waitNs(WRITE, SECOND / 2));
  }
}

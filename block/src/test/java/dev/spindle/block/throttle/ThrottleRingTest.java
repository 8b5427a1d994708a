// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import static dev.spindle.block.throttle.ThrottleDirection.READ;
import static dev.spindle.block.throttle.ThrottleDirection.WRITE;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ThrottleRingTest {
  private final ThrottleRing<ThrottleRing.Waiter> ring = new ThrottleRing<>();

  @Test
  void nobodyWaits() {
    assertNull(ring.next(READ));
    ring.add(direction -> direction == WRITE);
    assertNull(ring.next(READ));
    assertSame(ring.all().getFirst(), ring.next(WRITE));
    ring.served(WRITE, ring.all().getFirst());
    assertSame(ring.all().getFirst(), ring.next(WRITE));
  }

  /** Of 0 to 3, one had the last turn and one goes: the next turn is that of the one after it. */
  @ParameterizedTest
  @CsvSource({
    "0,0,1", "0,1,2", "0,3,1", "1,0,2", "1,1,2", "1,2,3", "2,3,0", "2,0,3", "3,3,0", "3,0,1",
    "3,2,0"
  })
  void theTurnStaysWhereItIsWhenSomebodyGoes(int last, int goes, int next) {
    ThrottleRing.Waiter[] waiters = new ThrottleRing.Waiter[4];
    for (int i = 0; i < waiters.length; i++) {
      int number = i;
      waiters[i] = direction -> number < waiters.length;
      ring.add(waiters[i]);
    }
    ring.served(READ, waiters[last]);
    ring.remove(waiters[goes]);
    assertSame(waiters[next], ring.next(READ));
    assertSame(waiters[goes == 0 ? 1 : 0], ring.next(WRITE));
  }
}

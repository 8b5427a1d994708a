// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import java.util.ArrayList;
import java.util.List;

/**
 * Those that take turns, for each direction apart. Asking allocates nothing. Protected by the
 * group's lock.
 */
final class ThrottleRing<T extends ThrottleRing.Waiter> {
  /** Somebody who takes turns. */
  interface Waiter {
    /** Whether a turn would be of use to it. */
    boolean waits(ThrottleDirection direction);
  }

  private final List<T> waiters = new ArrayList<>();

  /** By direction, the place in the list of who had the last turn. */
  private final int[] last = {-1, -1};

  List<T> all() {
    return waiters;
  }

  void add(T waiter) {
    waiters.add(waiter);
  }

  /** Whoever goes leaves the turn to the one after it. */
  void remove(T waiter) {
    int place = waiters.indexOf(waiter);
    waiters.remove(place);
    for (int i = 0; i < last.length; i++) {
      if (place <= last[i]) {
        last[i]--;
      }
    }
  }

  /** Whose turn it is among those who wait, or null if nobody does. */
  T next(ThrottleDirection direction) {
    int place = last[direction.ordinal()];
    for (int i = 0; i < waiters.size(); i++) {
      place = place + 1 < waiters.size() ? place + 1 : 0;
      T waiter = waiters.get(place);
      if (waiter.waits(direction)) {
        return waiter;
      }
    }
    return null;
  }

  /** It had its turn. */
  void served(ThrottleDirection direction, T waiter) {
    last[direction.ordinal()] = waiters.indexOf(waiter);
  }
}

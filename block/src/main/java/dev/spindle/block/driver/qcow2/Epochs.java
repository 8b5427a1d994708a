// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Tells when the requests are over that may still use clusters which have been given up meanwhile.
 * Requests look clusters up without a lock; each counts itself, on its own lane, in one of two
 * counts, and an epoch ends when the count before the current one has come down to zero. What was
 * given up in one epoch is used by nobody two epochs later.
 */
final class Epochs {
  /** The requests of one lane. */
  static final class Users {
    /** Written by the lane's thread alone, read by any. */
    private volatile int even;

    private volatile int odd;

    private int count(long parity) {
      return parity == 0 ? even : odd;
    }
  }

  private final List<Users> lanes = new CopyOnWriteArrayList<>();

  /** Advanced under the image's lock. */
  private volatile long epoch;

  /** A lane begins. Any thread. */
  Users join() {
    Users users = new Users();
    lanes.add(users);
    return users;
  }

  /** A lane ends; it has no requests. Any thread. */
  void leave(Users users) {
    lanes.remove(users);
  }

  /**
   * A request begins, before it looks anything up. The lane's thread.
   *
   * @return what to end it with
   */
  int begin(Users users) {
    int parity = (int) epoch & 1;
    // The volatile write is over before the request looks anything up.
    if (parity == 0) {
      int now = users.even;
      users.even = now + 1;
    } else {
      int now = users.odd;
      users.odd = now + 1;
    }
    return parity;
  }

  /** A request has ended. The lane's thread. */
  void end(Users users, int parity) {
    if (parity == 0) {
      int now = users.even;
      users.even = now - 1;
    } else {
      int now = users.odd;
      users.odd = now - 1;
    }
  }

  /** The current epoch. Under the image's lock. */
  long now() {
    return epoch;
  }

  /** Advances as far as the requests allow, two epochs at most. Under the image's lock. */
  void advance() {
    for (int i = 0; i < 2; i++) {
      long before = epoch;
      for (Users users : lanes) {
        if (users.count(before + 1 & 1) != 0) {
          return;
        }
      }
      epoch = before + 1;
    }
  }

  /** Whether nobody uses any more what was given up in some epoch. Under the image's lock. */
  boolean isOver(long given) {
    return epoch >= given + 2;
  }
}

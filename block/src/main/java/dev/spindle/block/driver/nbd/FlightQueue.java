// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

/** Flights in order, each in one queue at most. */
final class FlightQueue {
  private Flight first;
  private Flight last;

  void add(Flight flight) {
    flight.next = null;
    if (first == null) {
      first = flight;
    } else {
      last.next = flight;
    }
    last = flight;
  }

  /** Takes out the first one; null if there is none. */
  Flight remove() {
    Flight flight = first;
    if (flight != null) {
      first = flight.next;
      flight.next = null;
    }
    return flight;
  }

  /** The first one, which stays; null if there is none. */
  Flight first() {
    return first;
  }

  boolean isEmpty() {
    return first == null;
  }
}

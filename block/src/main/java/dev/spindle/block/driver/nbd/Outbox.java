// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.nbd.RequestHeader;
import dev.spindle.linux.IoVector;

/** What a channel has to send: requests that wait, and what is on its way as one message. */
final class Outbox {
  private final FlightQueue waiting = new FlightQueue();
  private final RequestHeader header = new RequestHeader();
  private final IoVector message = new IoVector(IoVector.MAX_CAPACITY);

  /** Of the message, or of the last one if there is none. */
  private int number;

  void add(Flight flight) {
    waiting.add(flight);
  }

  /** Takes out one that waits; null if none does. */
  Flight remove() {
    return waiting.remove();
  }

  boolean isEmpty() {
    return waiting.isEmpty();
  }

  /** Which message it is, or the last one was, as a count that wraps. */
  int number() {
    return number;
  }

  /**
   * Makes a message of as many as fit; of what is left of the last one, if that is not all gone.
   *
   * @return whether there is anything to send
   */
  boolean load(Channel channel, ExportTerms terms) {
    if (message.totalBytes() > 0) {
      return true;
    }
    number++;
    while (!isEmpty() && message.count() + waiting.first().ranges() <= message.capacity()) {
      Flight flight = remove();
      flight.write(terms, header, message);
      channel.departed(flight);
    }
    return message.totalBytes() > 0;
  }

  IoVector message() {
    return message;
  }

  /** The first bytes of the message have gone; returns whether these are all. */
  boolean sent(long bytes) {
    if (bytes == message.totalBytes()) {
      message.clear();
      return true;
    }
    message.advance(bytes);
    return false;
  }

  /** Whether no message has been begun and not been sent to its end. */
  boolean isBetweenMessages() {
    return message.totalBytes() == 0;
  }

  /** Forgets the message: the connection is gone. */
  void dropMessage() {
    message.clear();
  }
}

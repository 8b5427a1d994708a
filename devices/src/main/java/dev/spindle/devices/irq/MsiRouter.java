// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.irq;

import dev.spindle.linux.EventFd;

/** Connects eventfds to message-signalled interrupts of the guest. Any thread may call. */
@FunctionalInterface
public interface MsiRouter {
  /**
   * A new vector, masked, which fires when {@code irqfd} is signalled.
   *
   * @param irqfd stays the caller's, who keeps it open until he has closed the vector
   * @throws IllegalStateException if there are no vectors left, in a sentence
   */
  MsiVector allocate(EventFd irqfd);
}

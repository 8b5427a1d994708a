// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.virtio.QueueInterrupt;
import dev.spindle.linux.uring.PeerEvent;

/**
 * How a queue interrupts its driver: an eventfd that the front end may exchange while the queue
 * works, or none for a driver that looks by itself.
 */
final class CallEnd implements QueueInterrupt {
  private volatile PeerEvent call;

  @Override
  public void raise() {
    PeerEvent now = call;
    if (now != null) {
      now.signal();
    }
  }

  /**
   * Exchanges the eventfd.
   *
   * @param next or null for none
   * @return the former one, to be closed once the queue's context has no more use for it; or null
   */
  PeerEvent exchange(PeerEvent next) {
    PeerEvent former = call;
    call = next;
    return former;
  }
}

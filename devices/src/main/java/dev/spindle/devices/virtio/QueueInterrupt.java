// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/** How a queue interrupts its driver: the vector it is mapped to, whichever that is now. */
@FunctionalInterface
public interface QueueInterrupt {
  /** Raises it; at most one system call and no allocation. Any thread. */
  void raise();
}

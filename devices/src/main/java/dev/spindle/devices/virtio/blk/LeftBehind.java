// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.devices.virtio.DescriptorChain;
import dev.spindle.devices.virtio.VirtqueueException;

/**
 * Requests that another device has taken off a queue and not given back: this one carries them out
 * before all others. On the queue's thread.
 */
public interface LeftBehind {
  /** None. */
  LeftBehind NONE =
      new LeftBehind() {
        @Override
        public int count() {
          return 0;
        }

        @Override
        public void retake(int number, DescriptorChain chain) {
          throw new IndexOutOfBoundsException(number);
        }
      };

  /** How many there are. */
  int count();

  /**
   * Takes one once more.
   *
   * @param number 0 to the count, exclusive; in the order in which they were taken
   * @throws VirtqueueException if what is there is malformed; the queue is then broken
   */
  void retake(int number, DescriptorChain chain) throws VirtqueueException;
}

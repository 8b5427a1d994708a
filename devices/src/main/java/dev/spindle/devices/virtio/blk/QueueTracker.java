// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.devices.virtio.DescriptorChain;

/**
 * Notes what a queue does, for those who have to know when this process is gone or the guest moves.
 * Called on the queue's own thread for every request: allocates nothing, and never waits.
 */
public interface QueueTracker {
  /** Notes nothing. */
  QueueTracker NONE =
      new QueueTracker() {
        @Override
        public void taken(DescriptorChain chain) {}

        @Override
        public void finished(DescriptorChain chain, long usedLength) {}

        @Override
        public void published() {}

        @Override
        public boolean mayVanish() {
          return false;
        }

        @Override
        public void settle() {}
      };

  /** A request has been taken off the ring; nothing has been done about it yet. */
  void taken(DescriptorChain chain);

  /**
   * A request has been carried out, its status included; the driver does not know yet.
   *
   * @param usedLength bytes written, counted from the start of the writable part
   */
  void finished(DescriptorChain chain, long usedLength);

  /** The driver can see all that has been finished. */
  void published();

  /**
   * Whether the driver's memory may go away at any time. Data are to be copied then, by system
   * calls, and the block layer sees none of that memory.
   */
  boolean mayVanish();

  /**
   * Has the {@link InternalError} of an access to memory that is not there any more come out now,
   * in this thread, rather than anywhere later on. Called after each look at the ring.
   */
  void settle();
}

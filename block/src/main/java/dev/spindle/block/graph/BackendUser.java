// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;

/**
 * The owner of a backend: a device, an export, a job. Its methods are called on the control side.
 */
public interface BackendUser {
  /** How an error names it: {@code block device 'vd0'}. */
  String describe();

  /**
   * The node must stand still: the owner should take no more work from elsewhere, so that nothing
   * piles up. What it sends all the same is held back. Must not wait.
   *
   * @return waits until the owner has stopped
   */
  default Runnable drainedBegin() {
    return () -> {};
  }

  /**
   * Whether the owner, once told, stops by itself, and can do so only if what it sends until then
   * gets through. Nothing of it is held back then, and {@link #drainedBegin} waits until it sends
   * nothing more. Always the same.
   */
  default boolean stopsByItself() {
    return false;
  }

  /** The last section has ended: what was held back is on its way, and the owner may go on. */
  default void drainedEnd() {}

  /**
   * Asks the owner whether it can follow its node to another context. Must change nothing.
   *
   * @param target where the node is to go
   * @param change collects what has to move along
   * @throws BlockException if it cannot follow
   */
  default void prepareContextChange(AioContext target, ContextChange change) throws BlockException {
    throw new BlockException("Changing iothreads is not supported by " + describe());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * What a section waits for at somebody who has been told to stop. Telling everybody comes first,
 * waiting second, so that all come to rest at the same time.
 */
public interface QuiesceWait {
  /** Waits until no new request will come. Control side. */
  default void awaitStopped() {}

  /** Waits until the requests that had been sent are done, too. Control side. */
  default void awaitStill() {}
}

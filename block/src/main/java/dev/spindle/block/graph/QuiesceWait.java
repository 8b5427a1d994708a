// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.List;

/**
 * What a section waits for at somebody who has been told to stop. Telling everybody comes first,
 * waiting second, so that all come to rest at the same time.
 */
public interface QuiesceWait {
  /** Waits until no new request will come. Control side. */
  default void awaitStopped() {}

  /** Waits until the requests that had been sent are done, too. Control side. */
  default void awaitStill() {}

  /** Waits until everybody has stopped and is still. Control side. */
  static void all(List<QuiesceWait> waits) {
    waits.forEach(QuiesceWait::awaitStopped);
    waits.forEach(QuiesceWait::awaitStill);
  }

  /**
   * Has those stop who were told to before something failed, for they cannot be told to go on
   * earlier. What fails now is no news. Control side.
   */
  static void afterFailure(List<QuiesceWait> waits, Throwable failure) {
    for (QuiesceWait wait : waits) {
      try {
        wait.awaitStopped();
        wait.awaitStill();
      } catch (RuntimeException | Error e) {
        if (e != failure) {
          failure.addSuppressed(e);
        }
      }
    }
    waits.clear();
  }
}

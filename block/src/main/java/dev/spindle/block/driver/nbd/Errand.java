// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.graph.BlockRequest;
import java.util.concurrent.locks.LockSupport;

/** A request that straight-line code of this driver sends, and waits for. */
class Errand extends BlockRequest {
  private final Thread waiter = Thread.currentThread();
  private boolean ended;
  private int result;

  Errand(Operation operation, int maxBuffers) {
    super(maxBuffers);
    this.operation = operation;
  }

  /** Waits for its end; returns 0 or a negated errno. By who has made it. */
  final int await() {
    while (!ended) {
      LockSupport.park(this);
    }
    return result;
  }

  @Override
  protected final void completed(int status) {
    result = status;
    ended = true;
    LockSupport.unpark(waiter);
  }
}

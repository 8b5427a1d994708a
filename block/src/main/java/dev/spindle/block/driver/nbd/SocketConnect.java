// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.RingOp;
import dev.spindle.linux.Errno;
import dev.spindle.linux.SocketName;
import dev.spindle.linux.StreamSocket;
import java.util.concurrent.locks.LockSupport;

/**
 * Connects a socket by the ring, for straight-line code, which waits for it until somebody on the
 * same context has enough of it.
 */
final class SocketConnect extends RingOp {
  private final StreamSocket socket;
  private final SocketName name;
  private final Thread waiter = Thread.currentThread();
  private boolean cancelled;
  private boolean done;
  private int result;

  SocketConnect(AioContext context, StreamSocket socket, SocketName name) {
    super(context);
    this.socket = socket;
    this.name = name;
  }

  /** Waits; returns 0 or a negated errno. Called once. */
  int run() {
    int file = ~socket.fd().number();
    while (!context().ring().submission().prepConnect(file, name, token())) {
      context().submitNow();
    }
    while (!done) {
      LockSupport.park(this);
    }
    release();
    return cancelled && result == -Errno.ECANCELED ? -Errno.ETIMEDOUT : result;
  }

  /** Has it end soon, if it has not ended. */
  void cancel() {
    cancelled = true;
    if (!done) {
      new Cancellation().submit();
    }
  }

  @Override
  protected void complete(int status, boolean more) {
    result = status;
    done = true;
    LockSupport.unpark(waiter);
  }

  /** Asks the kernel to end it. */
  private final class Cancellation extends RingOp {
    Cancellation() {
      super(SocketConnect.this.context());
    }

    void submit() {
      while (!context().ring().submission().prepCancel(SocketConnect.this.token(), token())) {
        context().submitNow();
      }
    }

    @Override
    protected void complete(int status, boolean more) {
      release();
    }
  }
}

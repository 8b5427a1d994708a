// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import dev.spindle.linux.uring.SubmissionQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * Ring operations for straight-line code: submits one, and waits for it without holding up the
 * context. Virtual threads of the context only.
 */
public final class StraightLine extends RingOp {
  /** Fills one submission entry; false if the queue is full. */
  @FunctionalInterface
  public interface Submission {
    /** Submits with {@code token} as user data. */
    boolean prepare(SubmissionQueue queue, long token);
  }

  private final Thread waiter = Thread.currentThread();
  private boolean done;
  private int result;

  private StraightLine(AioContext context) {
    super(context);
  }

  /**
   * Submits and waits.
   *
   * @return what the operation completed with
   */
  public static int run(AioContext context, Submission submission) {
    StraightLine operation = new StraightLine(context);
    try {
      while (!submission.prepare(context.ring().submission(), operation.token())) {
        context.submitNow();
        // Should the kernel take nothing at present, the loop has to turn before it does.
        Thread.yield();
      }
    } catch (RuntimeException | Error e) {
      operation.release();
      throw e;
    }
    while (!operation.done) {
      LockSupport.park(operation);
    }
    operation.release();
    return operation.result;
  }

  @Override
  protected void complete(int result, boolean more) {
    this.result = result;
    done = true;
    LockSupport.unpark(waiter);
  }
}

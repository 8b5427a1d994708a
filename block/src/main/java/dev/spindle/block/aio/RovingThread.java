// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import java.util.concurrent.Executor;

/**
 * Straight-line code whose context may change while it waits: a job's, which follows its nodes. It
 * is a virtual thread that the thread of its present context carries, as {@link
 * AioContext#startVirtual} makes them for good.
 */
public final class RovingThread implements Executor {
  /** Where it is carried from the next time on that it goes on after waiting. */
  private volatile AioContext context;

  /** Where it is carried now. Written by the carrying thread just before. */
  private AioContext carrier;

  private RovingThread(AioContext context) {
    this.context = context;
  }

  /**
   * Starts {@code body} on a context. Any thread.
   *
   * @param threadName for dumps
   */
  public static RovingThread start(String threadName, AioContext context, Runnable body) {
    RovingThread roving = new RovingThread(context);
    ContextThreads.start(threadName, roving, body);
    return roving;
  }

  /** The context it goes on in. Any thread. */
  public AioContext context() {
    return context;
  }

  /**
   * Has it go on in another context. Any thread, while it waits for something that comes after this
   * call; what it does next is {@link #settle}.
   */
  public void moveTo(AioContext target) {
    context = target;
  }

  /** Returns in the present context, if it was woken in a former one. By itself only. */
  public void settle() {
    while (carrier != context) {
      Thread.yield();
    }
  }

  boolean isCarriedBy(AioContext other) {
    return carrier == other;
  }

  /** Goes on with the virtual thread: the scheduler's part, which nobody else calls. */
  @Override
  public void execute(Runnable continuation) {
    AioContext target = context;
    target.execute(
        () -> {
          carrier = target;
          continuation.run();
        });
  }
}

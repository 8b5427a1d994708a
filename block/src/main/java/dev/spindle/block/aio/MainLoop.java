// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import dev.spindle.linux.LinuxException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The context on which everything is controlled: graph changes, run state, moves. Control work runs
 * as straight-line code on virtual threads that this context carries, one at a time under the
 * control lock, so it may wait for iothreads without stopping the loop.
 */
public final class MainLoop implements AutoCloseable {
  /** The name by which users see the main loop's context. */
  public static final String NAME = "main-loop";

  private final IoThread thread;

  /** Fair: control work runs in the order in which it was asked for. */
  private final ReentrantLock controlLock = new ReentrantLock(true);

  private MainLoop(IoThread thread) {
    this.thread = thread;
  }

  /**
   * Starts the main loop on a thread of its own.
   *
   * @throws LinuxException if io_uring cannot be had
   */
  public static MainLoop start() throws LinuxException {
    return new MainLoop(IoThread.start(NAME, ContextOptions.MAIN_LOOP));
  }

  /** The main loop's context. */
  public AioContext context() {
    return thread.context();
  }

  /**
   * Runs control work under the control lock and waits for it. Any thread that may wait; within
   * control work it simply calls.
   *
   * @param what names the virtual thread, for dumps
   * @throws E what {@code body} threw
   */
  public <T, E extends Exception> T control(String what, ContextCall<T, E> body) throws E {
    if (inControl()) {
      return body.call();
    }
    return Outcome.of(start(what, body));
  }

  /** Queues control work and returns at once. Any thread. */
  public <T, E extends Exception> CompletableFuture<T> start(String what, ContextCall<T, E> body) {
    CompletableFuture<T> result = new CompletableFuture<>();
    context()
        .startVirtual(
            what,
            () -> {
              controlLock.lock();
              try {
                result.complete(body.call());
              } catch (Throwable e) {
                result.completeExceptionally(e);
              } finally {
                controlLock.unlock();
              }
            });
    return result;
  }

  /** Whether the caller is control work, holding the control lock. */
  public boolean inControl() {
    return controlLock.isHeldByCurrentThread();
  }

  /** Fails unless the caller is control work: for methods that declare the global-state side. */
  public void assertControl() {
    if (!inControl()) {
      throw new IllegalStateException(
          "called on " + Thread.currentThread().getName() + ", belongs on the main loop");
    }
  }

  /** Stops the loop. Not from control work. */
  @Override
  public void close() {
    thread.close();
  }
}

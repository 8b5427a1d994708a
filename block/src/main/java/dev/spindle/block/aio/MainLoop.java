// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import dev.spindle.linux.LinuxException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
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

  /** Those that are at work in {@link #together}. */
  private final Set<Thread> parts = ConcurrentHashMap.newKeySet();

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

  /**
   * Runs parts of control work side by side, and waits for all of them: while one waits, others go
   * on. Each is control work itself, and the control lock stays taken. They share the main loop's
   * thread, so only where one waits can another find what it has half done.
   *
   * @param what names the virtual threads, for dumps
   * @throws RuntimeException what the first part that failed has thrown, once all are over
   */
  public void together(String what, List<Runnable> parts) {
    assertControl();
    List<CompletableFuture<Void>> over = new ArrayList<>();
    for (Runnable part : parts) {
      CompletableFuture<Void> one = new CompletableFuture<>();
      over.add(one);
      context().startVirtual(what, () -> runPart(part, one));
    }
    CompletableFuture<Void> all =
        CompletableFuture.allOf(over.toArray(CompletableFuture<?>[]::new));
    Outcome.<Void, RuntimeException>of(all);
  }

  private void runPart(Runnable part, CompletableFuture<Void> over) {
    parts.add(Thread.currentThread());
    try {
      part.run();
      over.complete(null);
    } catch (Throwable e) {
      over.completeExceptionally(e);
    } finally {
      parts.remove(Thread.currentThread());
    }
  }

  /** Whether the caller is control work, holding the control lock or a part of what holds it. */
  public boolean inControl() {
    return controlLock.isHeldByCurrentThread() || parts.contains(Thread.currentThread());
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

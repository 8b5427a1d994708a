// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import dev.spindle.linux.LinuxException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One platform thread that runs one {@link AioContext} (QEMU's {@code iothread} object). */
public final class IoThread implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(IoThread.class);

  private final String id;

  /** Written by {@link #configure}. */
  private volatile ContextOptions options;

  private final Thread thread;
  private final AioContext context;

  /**
   * Starts the thread and waits until its context is there.
   *
   * @param id unique among the user's objects
   * @throws LinuxException if io_uring cannot be had
   */
  public static IoThread start(String id, ContextOptions options) throws LinuxException {
    CompletableFuture<AioContext> ready = new CompletableFuture<>();
    Thread thread =
        Thread.ofPlatform()
            .name("iothread-" + id)
            .daemon()
            .unstarted(() -> body(id, options, ready));
    thread.start();
    try {
      return new IoThread(id, options, thread, ready.join());
    } catch (CompletionException e) {
      if (e.getCause() instanceof LinuxException cause) {
        throw cause;
      }
      throw e;
    }
  }

  private IoThread(String id, ContextOptions options, Thread thread, AioContext context) {
    this.id = id;
    this.options = options;
    this.thread = thread;
    this.context = context;
  }

  private static void body(String id, ContextOptions options, CompletableFuture<AioContext> ready) {
    AioContext context;
    try {
      context = AioContext.create(id, options);
    } catch (Throwable e) {
      ready.completeExceptionally(e);
      return;
    }
    ready.complete(context);
    try {
      context.run();
    } catch (Throwable e) {
      LOG.error("iothread {} ended: {}", id, e.getMessage(), e);
    }
  }

  /** The user's name for it. */
  public String id() {
    return id;
  }

  /** How it polls and batches. Any thread. */
  public ContextOptions options() {
    return options;
  }

  /** Has it poll and batch otherwise from now on. Any thread that may wait. */
  public void configure(ContextOptions changed) {
    context.call(
        () -> {
          context.configure(changed);
          return null;
        });
    options = changed;
  }

  /** The number of its Java thread, for the JVM's own statistics. */
  public long threadId() {
    return thread.threadId();
  }

  /** Its context. */
  public AioContext context() {
    return context;
  }

  /** Stops the loop and waits for the thread. Nothing may use the context any more. */
  @Override
  public void close() {
    context.stop();
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    context.closeWakeFd();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

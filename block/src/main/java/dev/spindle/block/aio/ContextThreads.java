// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The straight-line lane: virtual threads that only the context's own thread carries. Such code may
 * wait like any blocking code, and between two waits it has the context to itself.
 *
 * <p>JDK 25 has no public way to name a virtual thread's scheduler; its builder has a constructor
 * that takes one, reached by opening {@code java.base/java.lang} to this module. This class alone
 * knows.
 */
final class ContextThreads {
  private static final Logger LOG = LoggerFactory.getLogger(ContextThreads.class);

  /** Of a virtual thread: whether a context's thread carries it. */
  private static final ThreadLocal<Predicate<AioContext>> CARRIED_BY = new ThreadLocal<>();

  private final AioContext context;

  ContextThreads(AioContext context) {
    this.context = context;
  }

  /** Whether {@code current}, the calling thread, is one of this context's virtual threads. */
  boolean carries(Thread current) {
    if (!current.isVirtual()) {
      return false;
    }
    Predicate<AioContext> carriedBy = CARRIED_BY.get();
    return carriedBy != null && carriedBy.test(context);
  }

  /** Starts {@code body} on a new virtual thread carried by the context's thread. */
  Thread start(String name, Runnable body) {
    return start(name, context, other -> other == context, body);
  }

  /** Starts {@code body} on a new virtual thread carried by what {@code roving} says. */
  static void start(String name, RovingThread roving, Runnable body) {
    start(name, roving, roving::isCarriedBy, body);
  }

  private static Thread start(
      String name, Executor scheduler, Predicate<AioContext> carriedBy, Runnable body) {
    return Builder.scheduledBy(new Continuing(name, scheduler))
        .name(name)
        .uncaughtExceptionHandler((thread, e) -> LOG.error("{} failed", thread.getName(), e))
        .start(
            () -> {
              CARRIED_BY.set(carriedBy);
              body.run();
            });
  }

  /**
   * Has one virtual thread go on where it belongs. Whoever wakes it must not suffer if its context
   * has ended meanwhile: that may be somebody who completes a future, or the one thread of the JVM
   * that wakes all who waited for a monitor, which would be gone for good.
   */
  private static final class Continuing implements Executor {
    private final String name;
    private final Executor target;

    /** Set by the starting thread, before anybody else knows the new one. */
    private boolean started;

    Continuing(String name, Executor target) {
      this.name = name;
      this.target = target;
    }

    @Override
    public void execute(Runnable continuation) {
      if (!started) {
        started = true;
        target.execute(continuation);
        return;
      }
      try {
        target.execute(continuation);
      } catch (RejectedExecutionException e) {
        LOG.warn("{} will never go on: {}", name, e.getMessage());
      }
    }
  }

  /** Found once, when the first virtual thread is wanted. */
  private static final class Builder {
    private static final Constructor<?> CONSTRUCTOR = find();

    static Thread.Builder.OfVirtual scheduledBy(Executor scheduler) {
      try {
        return (Thread.Builder.OfVirtual) CONSTRUCTOR.newInstance(scheduler);
      } catch (InvocationTargetException | InstantiationException | IllegalAccessException e) {
        throw new IllegalStateException(unavailable(), e);
      }
    }

    private static Constructor<?> find() {
      try {
        Constructor<?> constructor =
            Class.forName("java.lang.ThreadBuilders$VirtualThreadBuilder")
                .getDeclaredConstructor(Executor.class);
        constructor.setAccessible(true);
        return constructor;
      } catch (ReflectiveOperationException | RuntimeException e) {
        throw new IllegalStateException(unavailable(), e);
      }
    }

    private static String unavailable() {
      return "virtual threads cannot be given a scheduler in this Java: run JDK 25 with"
          + " --add-opens java.base/java.lang=dev.spindle.block";
    }
  }
}

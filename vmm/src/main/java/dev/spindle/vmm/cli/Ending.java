// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import picocli.CommandLine.ExitCode;

/**
 * How a process ends that signals end, or a monitor: in good order at the first one; at once at the
 * second one, or when good order takes too long, which a driver that hangs or a server that is gone
 * may cause. Any thread.
 */
final class Ending {
  /** What a shell shows for a process that a signal has ended. */
  private static final int BY_SIGNAL = 128;

  private final Duration patience;
  private final PrintWriter err;
  private final IntConsumer halt;
  private final CompletableFuture<Void> asked = new CompletableFuture<>();
  private final CountDownLatch over = new CountDownLatch(1);
  private volatile String step = "starting";
  private volatile Runnable last = () -> {};

  /**
   * Waits for signals.
   *
   * @param patience how long good order may take from the first signal on
   * @param err where it is said if it takes longer
   * @param halt ends the process with an exit status, at once
   */
  Ending(Duration patience, PrintWriter err, IntConsumer halt) {
    this.patience = patience;
    this.err = err;
    this.halt = halt;
  }

  /** Notes what comes next: {@code closing node 'disk'}. */
  void step(String what) {
    step = what;
  }

  /** What is to be done before the process ends at once; not what may wait. */
  void last(Runnable what) {
    last = what;
  }

  /** A signal has come. */
  synchronized void signal(int number) {
    if (asked.isDone()) {
      endAtOnce(BY_SIGNAL + number);
    } else {
      request();
    }
  }

  /** Somebody wants the process to end in good order, which may be under way. Does not wait. */
  synchronized void request() {
    if (asked.complete(null)) {
      Thread.ofPlatform().daemon().name("ending").start(this::watch);
    }
  }

  /** Completes when somebody wants the process to end. */
  CompletableFuture<Void> asked() {
    return asked;
  }

  /** Everything has ended; what is left is to leave. */
  void over() {
    over.countDown();
  }

  private void watch() {
    try {
      if (over.await(patience.toNanos(), TimeUnit.NANOSECONDS)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    err.printf(
        "spindle: %s has not ended within %s s of the signal; the process ends all the same%n",
        step, patience.toMillis() / 1000.0);
    err.flush();
    endAtOnce(ExitCode.SOFTWARE);
  }

  private void endAtOnce(int status) {
    try {
      last.run();
    } finally {
      halt.accept(status);
    }
  }
}

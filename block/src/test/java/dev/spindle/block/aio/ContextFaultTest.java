// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.EventFd;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever the users of a loop throw, the loop goes on, and so does everything else in its turn.
 */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ContextFaultTest {
  private IoThread thread;
  private AioContext context;

  /**
   * What the context did after the fault, which a loop that has ended or left out work does not.
   */
  private final CompletableFuture<Void> after = new CompletableFuture<>();

  @BeforeEach
  void start() throws Exception {
    thread = IoThread.start("io0", ContextOptions.IOTHREAD);
    context = thread.context();
  }

  @AfterEach
  void stop() {
    thread.close();
  }

  /** Something to throw; what has no constructor for it is thrown as a checked one would be. */
  private record Fault(String name, Supplier<Throwable> thrown) {
    void happen() {
      Fault.<RuntimeException>sneak(thrown.get());
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneak(Throwable throwable) throws T {
      throw (T) throwable;
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Fault> faults() {
    return Stream.of(
        new Fault("exception", () -> new IllegalStateException("on purpose")),
        new Fault("checked", () -> new Exception("on purpose")),
        new Fault("memory", () -> new OutOfMemoryError("on purpose")),
        new Fault("stack", StackOverflowError::new),
        new Fault("assertion", () -> new AssertionError("on purpose")));
  }

  private void assertGoesOn() {
    after.join();
    assertEquals(7, context.call(() -> 7));
    CompletableFuture<Void> timer = new CompletableFuture<>();
    context.execute(() -> context.startTimer(0, () -> timer.complete(null)));
    timer.join();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void aTask(Fault fault) {
    context.execute(fault::happen);
    context.execute(() -> after.complete(null));
    assertGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void aTimer(Fault fault) {
    context.execute(
        () -> {
          context.startTimer(0, fault::happen);
          // Due in the same turn.
          context.startTimer(0, () -> after.complete(null));
        });
    assertGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void theEndOfATurn(Fault fault) {
    context.execute(
        () -> {
          context.atTurnEnd(fault::happen);
          context.atTurnEnd(() -> after.complete(null));
        });
    assertGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void aCompletion(Fault fault) {
    context.execute(
        () -> {
          new Nop(fault::happen).submit();
          new Nop(() -> after.complete(null)).submit();
        });
    assertGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void straightLineCode(Fault fault) {
    context.startVirtual("fails", fault::happen);
    context.startVirtual("goes on", () -> after.complete(null));
    assertGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void whatAWatchCallsIsCalledAgain(Fault fault) throws Exception {
    try (EventFd event = EventFd.create()) {
      AtomicInteger called = new AtomicInteger();
      FdWatch watch =
          context.call(
              () ->
                  context.watch(
                      event.fd(),
                      () -> {
                        called.incrementAndGet();
                        fault.happen();
                      }));
      for (int i = 1; i <= 3; i++) {
        event.signal();
        while (called.get() < i) {
          Thread.onSpinWait();
        }
      }
      context.execute(() -> watch.end(() -> after.complete(null)));
      assertGoesOn();
    }
  }

  /** One that fails is looked at no more, and has its notifications back; the next one is. */
  @ParameterizedTest
  @MethodSource("faults")
  void whatIsPolled(Fault fault) {
    FailingPollable failing = new FailingPollable(fault);
    AtomicBoolean wanted = new AtomicBoolean();
    Pollable next =
        new Pollable() {
          @Override
          public boolean ready() {
            return failing.runs.get() > 0 && !wanted.get();
          }

          @Override
          public void run() {
            wanted.set(true);
            after.complete(null);
          }
        };
    context.execute(
        () -> {
          context.addPollable(failing);
          context.addPollable(next);
        });
    // The context polls after it was woken soon after it went to sleep.
    while (!after.isDone()) {
      context.call(() -> null);
    }
    assertGoesOn();
    assertEquals(1, failing.runs.get());
    assertTrue(context.call(() -> !failing.polling));
    context.call(
        () -> {
          context.removePollable(failing);
          context.removePollable(next);
          return null;
        });
  }

  @Test
  void theRestOfAFailingTurnIsDoneOnce() {
    AtomicInteger ends = new AtomicInteger();
    context.call(
        () -> {
          context.atTurnEnd(ends::incrementAndGet);
          context.atTurnEnd(
              () -> {
                throw new IllegalStateException("on purpose");
              });
          context.atTurnEnd(ends::incrementAndGet);
          return null;
        });
    // Each of the ends of turns, not a task: several tasks may run in one turn.
    for (int turn = 0; turn < 3; turn++) {
      CompletableFuture<Void> ended = new CompletableFuture<>();
      context.execute(() -> context.atTurnEnd(() -> ended.complete(null)));
      ended.join();
    }
    assertEquals(2, ends.get());
  }

  private final class Nop extends RingOp {
    private final Runnable completed;

    Nop(Runnable completed) {
      super(ContextFaultTest.this.context);
      this.completed = completed;
    }

    void submit() {
      assertTrue(ContextFaultTest.this.context.ring().submission().prepNop(token()));
    }

    @Override
    protected void complete(int result, boolean more) {
      release();
      completed.run();
    }
  }

  private static final class FailingPollable implements Pollable {
    final AtomicInteger runs = new AtomicInteger();
    private final Fault fault;

    /** Context's thread only. */
    boolean polling;

    FailingPollable(Fault fault) {
      this.fault = fault;
    }

    @Override
    public boolean ready() {
      return true;
    }

    @Override
    public void run() {
      runs.incrementAndGet();
      fault.happen();
    }

    @Override
    public void beginPolling() {
      polling = true;
    }

    @Override
    public void endPolling() {
      polling = false;
    }
  }
}

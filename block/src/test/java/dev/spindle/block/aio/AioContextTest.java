// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.Errno;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Mapping;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class AioContextTest {
  private IoThread thread;
  private AioContext context;

  @BeforeEach
  void start() throws Exception {
    thread = IoThread.start("io0", ContextOptions.IOTHREAD);
    context = thread.context();
  }

  @AfterEach
  void stop() {
    thread.close();
  }

  /** Wake-ups race with going to sleep: each task must run, soon enough for the next to follow. */
  @Test
  void runsTasksFromManyThreadsInEachOnesOrder() throws Exception {
    int threads = 4;
    int tasks = 20_000;
    int[] last = new int[threads];
    CountDownLatch done = new CountDownLatch(threads * tasks);
    List<Thread> senders = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      int sender = t;
      senders.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int i = 1; i <= tasks; i++) {
                      int number = i;
                      context.execute(
                          () -> {
                            assertEquals(last[sender] + 1, number);
                            last[sender] = number;
                            done.countDown();
                          });
                      if (i % 64 == 0) {
                        // Lets the context go to sleep now and then.
                        context.call(() -> null);
                      }
                    }
                  }));
    }
    done.await();
    for (Thread sender : senders) {
      sender.join();
    }
  }

  @Test
  void timersFireInOrderAndNotOnceCancelled() {
    List<String> fired = new ArrayList<>();
    CompletableFuture<Void> end = new CompletableFuture<>();
    context.execute(
        () -> {
          // Far apart: each begins when it is started, and this thread may be held up in between.
          context.startTimer(300_000_000, () -> fired.add("second"));
          Timer cancelled = context.startTimer(150_000_000, () -> fired.add("cancelled"));
          context.startTimer(5_000_000, () -> fired.add("first"));
          context.startTimer(400_000_000, () -> end.complete(null));
          cancelled.cancel();
        });
    end.join();
    assertEquals(List.of("first", "second"), fired);
  }

  @Test
  void aWatchSeesEverySignalUntilItEnds() throws Exception {
    try (EventFd event = EventFd.create()) {
      AtomicInteger seen = new AtomicInteger();
      CompletableFuture<Void> ended = new CompletableFuture<>();
      FdWatch watch = context.call(() -> context.watch(event.fd(), seen::incrementAndGet));
      for (int i = 1; i <= 1000; i++) {
        event.signal();
        while (seen.get() < i) {
          Thread.onSpinWait();
        }
      }
      context.execute(() -> watch.end(() -> ended.complete(null)));
      ended.join();
      event.signal();
      context.call(() -> null);
      assertEquals(1000, seen.get());
      assertThrows(
          IllegalStateException.class,
          () ->
              context.call(
                  () -> {
                    watch.end(() -> {});
                    return null;
                  }));
    }
  }

  @Test
  void straightLineCodeWaitsWithoutHoldingUpTheContext() {
    CompletableFuture<Integer> result = new CompletableFuture<>();
    CompletableFuture<Void> waited = new CompletableFuture<>();
    context.startVirtual(
        "waits",
        () -> {
          assertTrue(context.isOwner());
          waited.join();
          result.complete(StraightLine.run(context, (queue, token) -> queue.prepNop(token)));
        });
    // The context still runs what comes: this very task ends the wait.
    context.execute(() -> waited.complete(null));
    assertEquals(0, result.join());
    assertFalse(context.isOwner());
  }

  @Test
  void aFailingTaskEndsNothing() {
    context.execute(
        () -> {
          throw new IllegalStateException("on purpose");
        });
    assertEquals(7, context.call(() -> 7));
    IllegalStateException failure =
        assertThrows(
            IllegalStateException.class,
            () ->
                context.call(
                    () -> {
                      throw new IllegalStateException("handed back");
                    }));
    assertEquals("handed back", failure.getMessage());
  }

  @Test
  void controlWorkRunsOneAtATimeEvenWhileItWaits() throws Exception {
    try (MainLoop mainLoop = MainLoop.start()) {
      AtomicInteger inside = new AtomicInteger();
      List<CompletableFuture<Integer>> results = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        results.add(
            mainLoop.start(
                "work",
                () -> {
                  assertTrue(mainLoop.inControl());
                  int entered = inside.incrementAndGet();
                  // Waits for another context; the main loop goes on meanwhile.
                  context.call(() -> null);
                  assertEquals(entered, inside.getAndDecrement());
                  return entered;
                }));
      }
      for (CompletableFuture<Integer> result : results) {
        assertEquals(1, result.join());
      }
      Thread[] seen = new Thread[2];
      mainLoop.control(
          "nested",
          () -> {
            seen[0] = Thread.currentThread();
            return mainLoop.control("inner", () -> seen[1] = Thread.currentThread());
          });
      assertSame(seen[0], seen[1]);
      assertThrows(IllegalStateException.class, mainLoop::assertControl);
    }
  }

  @Test
  void memoryIsRegisteredFromAnyThreadAndMayOutliveTheContext() throws Exception {
    IoThread other = IoThread.start("io1", ContextOptions.MAIN_LOOP);
    try (Mapping mapping = Mapping.anonymous(1 << 16)) {
      MemoryRegistration here = context.registerMemory(mapping.segment());
      MemoryRegistration there =
          context.call(() -> context.registerMemory(mapping.segment().asSlice(4096, 4096)));
      MemoryRegistration last = other.context().registerMemory(mapping.segment());
      assertEquals(0, here.refusal());
      assertEquals(0, there.refusal());
      assertEquals(0, last.refusal());
      here.close();
      here.close();
      there.close();
      other.close();
      last.close();
    }
  }

  /** A context that runs out of registrations goes on without. */
  @Test
  void refusedMemoryIsOfNoConsequence() throws Exception {
    List<MemoryRegistration> registrations = new ArrayList<>();
    try (Mapping mapping = Mapping.anonymous(4096)) {
      do {
        registrations.add(context.registerMemory(mapping.segment()));
      } while (registrations.getLast().refusal() == 0);
      assertEquals(Errno.ENOSPC, registrations.getLast().refusal());
      registrations.forEach(MemoryRegistration::close);
      try (MemoryRegistration again = context.registerMemory(mapping.segment())) {
        assertEquals(0, again.refusal());
      }
    }
  }

  @Test
  void tasksQueuedBeforeTheStopStillRun() throws Exception {
    IoThread other = IoThread.start("io1", ContextOptions.MAIN_LOOP);
    AtomicInteger ran = new AtomicInteger();
    for (int i = 0; i < 1000; i++) {
      other.context().execute(ran::incrementAndGet);
    }
    other.close();
    assertEquals(1000, ran.get());
  }

  @Test
  void whatCannotRunAnyMoreIsRefused() throws Exception {
    IoThread other = IoThread.start("io1", ContextOptions.MAIN_LOOP);
    other.close();
    other.close();
    RejectedExecutionException refusal =
        assertThrows(RejectedExecutionException.class, () -> other.context().call(() -> null));
    assertEquals("io1 has ended", refusal.getMessage());
    MainLoop mainLoop = MainLoop.start();
    mainLoop.close();
    assertThrows(RejectedExecutionException.class, () -> mainLoop.control("too late", () -> null));
  }

  /** The JVM has one thread that wakes who waits for a monitor: it must survive that. */
  @Test
  void aThreadWhoseContextHasEndedKeepsNobodyElseFromWaking() throws Exception {
    IoThread ended = IoThread.start("ended", ContextOptions.IOTHREAD);
    CompletableFuture<Void> never = new CompletableFuture<>();
    CompletableFuture<Void> entered = new CompletableFuture<>();
    Object monitor = new Object();
    synchronized (monitor) {
      awaitBlocked(enter(ended.context(), monitor, never));
      ended.close();
    }
    Object other = new Object();
    synchronized (other) {
      awaitBlocked(enter(context, other, entered));
    }
    entered.join();
    assertFalse(never.isDone());
  }

  private static Thread enter(AioContext where, Object monitor, CompletableFuture<Void> entered) {
    return where.startVirtual(
        "enters",
        () -> {
          synchronized (monitor) {
            entered.complete(null);
          }
        });
  }

  private static void awaitBlocked(Thread thread) {
    while (thread.getState() != Thread.State.BLOCKED) {
      Thread.onSpinWait();
    }
  }

  @Test
  void submitsWhenAsManyOperationsWaitAsMay() throws Exception {
    IoThread other = IoThread.start("io1", new ContextOptions(0, 0, 0, 3));
    AioContext its = other.context();
    List<Integer> waiting =
        its.call(
            () -> {
              List<Integer> after = new ArrayList<>();
              its.submitNow();
              for (int i = 0; i < 4; i++) {
                Nop nop = new Nop(its);
                assertTrue(its.ring().submission().prepNop(nop.token()));
                its.prepared();
                after.add(its.ring().submission().pending());
              }
              return after;
            });
    other.close();
    assertEquals(List.of(1, 2, 0, 1), waiting);
  }

  private static final class Nop extends RingOp {
    Nop(AioContext context) {
      super(context);
    }

    @Override
    protected void complete(int result, boolean more) {
      release();
    }
  }

  /** The end races with tasks, and with those who wake the loop for them. */
  @Test
  void aTaskRunsOrIsRefused() throws Exception {
    for (int round = 0; round < 200; round++) {
      IoThread other = IoThread.start("io1", ContextOptions.MAIN_LOOP);
      AtomicInteger ran = new AtomicInteger();
      List<CompletableFuture<Integer>> accepted = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        CompletableFuture<Integer> result = new CompletableFuture<>();
        accepted.add(result);
        Thread.ofPlatform().start(() -> sendUntilRefused(other.context(), ran, result));
      }
      other.context().stop();
      int sum = accepted.get(0).join() + accepted.get(1).join();
      other.close();
      assertEquals(sum, ran.get());
    }
  }

  private static void sendUntilRefused(
      AioContext context, AtomicInteger ran, CompletableFuture<Integer> result) {
    int accepted = 0;
    try {
      while (true) {
        context.execute(ran::incrementAndGet);
        accepted++;
      }
    } catch (RejectedExecutionException e) {
      result.complete(accepted);
    } catch (RuntimeException e) {
      result.completeExceptionally(e);
    }
  }
}

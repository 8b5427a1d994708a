// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ShortLock;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.PartialWrites;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * A front end's queues, and which context has which. A lane gets one of its own when its first
 * request comes, as long as there are any, or shares one with others of its context; where there
 * are more contexts than queues, some send theirs through a queue of another context, which costs
 * two hops.
 */
final class FrontEndQueues implements AutoCloseable {
  /** How long requests on their way are waited for, and how often is looked, in nanoseconds. */
  private static final long PAUSE_NS = 30_000_000_000L;

  private static final long PAUSE_LOOK_NS = 100_000_000;

  private final ShortLock lock = new ShortLock();
  private final List<FrontEndQueue> queues = new ArrayList<>();
  private final Consumer<String> whenBroken;

  /** Guarded by the lock. */
  private final Map<AioContext, FrontEndSeat> seats = new HashMap<>();

  /** Guarded by the lock: which queue helps out next. */
  private int nextHelper;

  private final PartialWrites writes = new PartialWrites(this::awaitWrites);
  private volatile SharedRegions shared = SharedRegions.NONE;

  /**
   * Makes queues without a connection.
   *
   * @param whenBroken told, on a queue's context, of a back end that breaks the rules
   */
  FrontEndQueues(int count, Consumer<String> whenBroken) throws LinuxException {
    this.whenBroken = whenBroken;
    try {
      for (int i = 0; i < count; i++) {
        queues.add(new FrontEndQueue(this));
      }
    } catch (LinuxException e) {
      close();
      throw e;
    }
  }

  List<FrontEndQueue> list() {
    return queues;
  }

  PartialWrites writes() {
    return writes;
  }

  /** Waits until those writes to a range are done that are on their way. Virtual threads only. */
  private void awaitWrites(long start, long end) {
    List<CompletableFuture<Void>> written = new ArrayList<>();
    onEach(
        queue -> {
          CompletableFuture<Void> done = new CompletableFuture<>();
          synchronized (written) {
            written.add(done);
          }
          queue.whenWritten(start, end, () -> done.complete(null));
        });
    written.forEach(CompletableFuture::join);
  }

  /** What the back end can reach besides the rings' own memory. Any thread. */
  SharedRegions shared() {
    return shared;
  }

  void setShared(SharedRegions regions) {
    shared = regions;
  }

  void broken(String reason) {
    whenBroken.accept(reason);
  }

  /** A lane opens. On its context. */
  FrontEndSeat opened(AioContext context) {
    return lock.get(
        () -> {
          FrontEndSeat seat = seats.computeIfAbsent(context, FrontEndSeat::new);
          seat.countLanes(1);
          return seat;
        });
  }

  /** A lane closes, with nothing on its way. On its context. */
  void closed(FrontEndSeat seat) {
    int lanes =
        lock.get(
            () -> {
              int left = seat.countLanes(-1);
              if (left == 0) {
                seats.remove(seat.context());
              }
              return left;
            });
    seat.giveBack(lanes);
  }

  /** A queue for a lane that has none; null if all are elsewhere. On the seat's context. */
  FrontEndQueue assign(FrontEndSeat seat) {
    FrontEndQueue taken = lock.get(() -> seat.wantsMore() ? takeFree(seat.context()) : null);
    if (taken == null) {
      return seat.assign();
    }
    try {
      taken.arrive(seat.context());
    } catch (RuntimeException | Error e) {
      free(taken);
      throw e;
    }
    seat.add(taken);
    return taken;
  }

  private FrontEndQueue takeFree(AioContext context) {
    for (FrontEndQueue queue : queues) {
      if (queue.owner() == null) {
        queue.setOwner(context);
        return queue;
      }
    }
    return null;
  }

  /** Carries out a request for a context that has no queue. On that context. */
  void askForHelp(FrontEndSeat seat, BlockRequest request, long offset) {
    FrontEndQueue helper = lock.get(() -> queues.get(nextHelper++ % queues.size()));
    AioContext there = lock.get(helper::owner);
    if (there == null) {
      // It is to be had by now.
      execute(seat.context(), () -> again(seat, request, offset), request);
    } else {
      execute(there, () -> help(helper, there, seat, request, offset), request);
    }
  }

  /** On a context that had the queue {@code helper} a moment ago. */
  private void help(
      FrontEndQueue helper, AioContext here, FrontEndSeat seat, BlockRequest request, long offset) {
    if (lock.get(helper::owner) == here) {
      helper.start(request, offset, seat.context());
    } else {
      execute(seat.context(), () -> again(seat, request, offset), request);
    }
  }

  private void again(FrontEndSeat seat, BlockRequest request, long offset) {
    FrontEndQueue queue = assign(seat);
    if (queue == null) {
      askForHelp(seat, request, offset);
    } else {
      queue.start(request, offset, null);
    }
  }

  private static void execute(AioContext context, Runnable task, BlockRequest request) {
    try {
      context.execute(task);
    } catch (RejectedExecutionException e) {
      request.complete(-Errno.EIO);
    }
  }

  /** A queue has left its context. */
  void free(FrontEndQueue queue) {
    lock.run(() -> queue.setOwner(null));
  }

  /** Runs {@code action} where a queue belongs: on its context, or here and now if it has none. */
  private void onOwner(FrontEndQueue queue, Runnable action) {
    AioContext owner =
        lock.get(
            () -> {
              AioContext found = queue.owner();
              if (found == null) {
                // Under the lock: nobody takes it meanwhile.
                action.run();
              }
              return found;
            });
    if (owner != null) {
      owner.execute(
          () -> {
            if (lock.get(queue::owner) == owner) {
              action.run();
            } else {
              onOwner(queue, action);
            }
          });
    }
  }

  /**
   * Has no queue send anything until {@link #resume}, and waits until nothing is on its way, but
   * not for long.
   *
   * @param over whether there is no use in waiting any more
   * @return whether nothing is on its way
   */
  boolean pause(BooleanSupplier over) {
    List<CompletableFuture<Void>> still = new ArrayList<>();
    for (FrontEndQueue queue : queues) {
      CompletableFuture<Void> done = new CompletableFuture<>();
      still.add(done);
      on(queue, its -> its.pause(() -> done.complete(null)));
    }
    CompletableFuture<Void> all =
        CompletableFuture.allOf(still.toArray(CompletableFuture<?>[]::new));
    long endNs = System.nanoTime() + PAUSE_NS;
    while (!all.isDone() && !over.getAsBoolean() && System.nanoTime() - endNs < 0) {
      try {
        all.get(PAUSE_LOOK_NS, TimeUnit.NANOSECONDS);
      } catch (TimeoutException e) {
        // Looks again.
      } catch (InterruptedException | ExecutionException e) {
        throw new IllegalStateException("nobody interrupts this, and nothing here fails", e);
      }
    }
    return all.isDone();
  }

  /** Ends {@link #pause}. */
  void resume() {
    onEach(FrontEndQueue::resume);
  }

  /** Has {@code action} done with each queue where it belongs, and waits. */
  void onEach(Consumer<FrontEndQueue> action) {
    queues.stream().map(queue -> start(queue, action)).toList().forEach(CompletableFuture::join);
  }

  /** As {@link #onEach}, with one queue. */
  void on(FrontEndQueue queue, Consumer<FrontEndQueue> action) {
    start(queue, action).join();
  }

  private CompletableFuture<Void> start(FrontEndQueue queue, Consumer<FrontEndQueue> action) {
    CompletableFuture<Void> answer = new CompletableFuture<>();
    try {
      onOwner(
          queue,
          () -> {
            try {
              action.accept(queue);
              answer.complete(null);
            } catch (RuntimeException | Error e) {
              answer.completeExceptionally(e);
            }
          });
    } catch (RejectedExecutionException e) {
      // Its context has ended, and with it whatever was on its way.
      answer.complete(null);
    }
    return answer;
  }

  /** Gives back what the queues hold; no lane is open and nothing on its way. */
  @Override
  public void close() {
    queues.forEach(FrontEndQueue::close);
  }
}

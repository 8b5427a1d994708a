// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.throttle.ThrottleGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A user who keeps some requests in flight on blocks of his own, knows what each block must hold,
 * and follows his node wherever it goes. All I/O is on his lane's context.
 */
final class BusyUser implements BackendUser {
  static final int BLOCK = 512;
  static final int BLOCKS = 32;
  private static final int DEPTH = 6;

  private final String name;
  private final long start;
  private final boolean follows;
  private final Fault fault;
  private final SplittableRandom random;
  private final long[] contents = new long[BLOCKS];
  private final Request[] requests = new Request[DEPTH];
  final AtomicReference<String> violation = new AtomicReference<>();

  BlockBackend backend;

  /** Changed by control work while the backend stands still. */
  private BackendLane ownLane;

  private boolean stopped;
  private volatile boolean ended;
  private volatile boolean losesOne;
  private long counter;
  final AtomicLong completed = new AtomicLong();

  BusyUser(String name, long start, boolean follows, Fault fault, long seed, Arena arena) {
    this.name = name;
    this.start = start;
    this.follows = follows;
    this.fault = fault;
    this.random = new SplittableRandom(seed);
    for (int i = 0; i < DEPTH; i++) {
      requests[i] = new Request(arena.allocate(BLOCK));
    }
  }

  private final class Request extends BlockRequest {
    private final MemorySegment buffer;
    private int block;
    private boolean busy;

    Request(MemorySegment buffer) {
      super(1);
      this.buffer = buffer;
    }

    private void send() {
      operation = random.nextBoolean() ? Operation.WRITE : Operation.READ;
      block = pickBlock(operation == Operation.WRITE && fault.passesBy() ? BLOCKS - 1 : BLOCKS);
      busy = true;
      offset = start + (long) block * BLOCK;
      length = BLOCK;
      buffer.set(ValueLayout.JAVA_LONG, 0, operation == Operation.WRITE ? ++counter : -1);
      buffers.clear();
      buffers.add(buffer, 0, BLOCK);
      if (losesOne) {
        losesOne = false;
      } else if (fault == Fault.PASSES_THE_GATE) {
        ownLane.submitPastGate(this);
      } else {
        ownLane.submit(this);
      }
    }

    @Override
    protected void completed(int result) {
      if (!busy) {
        violation.compareAndSet(null, name + ": a request was completed twice");
        return;
      }
      busy = false;
      completed.incrementAndGet();
      long value = buffer.get(ValueLayout.JAVA_LONG, 0);
      if (operation == Operation.WRITE) {
        contents[block] = value;
      } else if (value != contents[block]) {
        violation.compareAndSet(
            null,
            "%s: block %d holds %d, should hold %d".formatted(name, block, value, contents[block]));
      }
      // Not from within the completion: the stack would grow with each that ends at once.
      ownLane.context().execute(BusyUser.this::sendMore);
    }
  }

  private int pickBlock(int count) {
    int block = random.nextInt(count);
    while (isBusy(block)) {
      block = (block + 1) % count;
    }
    return block;
  }

  private boolean isBusy(int block) {
    for (Request request : requests) {
      if (request.busy && request.block == block) {
        return true;
      }
    }
    return false;
  }

  private void sendMore() {
    try {
      for (Request request : requests) {
        if (!request.busy && !stopped && !ended) {
          request.send();
        }
      }
    } catch (RuntimeException | Error e) {
      violation.compareAndSet(null, name + ": " + e);
    }
  }

  /** Opens the lane and goes to work. Control side. */
  void begin(AioContext context) {
    ownLane = context.call(() -> backend.openLane(context));
    context.execute(this::sendMore);
  }

  /** Has other limits, or none. Control side. */
  void limit(ThrottleGroup group) {
    backend.setThrottle(group);
    losesOne = fault == Fault.LOSES_A_THROTTLED_REQUEST;
  }

  /** Writes past the graph to the block that is there for that. Control side. */
  void scribble(RamNode disk) {
    ownLane
        .context()
        .call(
            () -> {
              if (!isBusy(BLOCKS - 1)) {
                contents[BLOCKS - 1] = ++counter;
                disk.scribble(start + (BLOCKS - 1L) * BLOCK, counter);
              }
              return null;
            });
  }

  @Override
  public String describe() {
    return "user '" + name + "'";
  }

  @Override
  public Runnable drainedBegin() {
    if (!follows || ownLane == null || fault == Fault.PASSES_THE_GATE) {
      return () -> {};
    }
    CompletableFuture<Void> told = new CompletableFuture<>();
    ownLane
        .context()
        .execute(
            () -> {
              stopped = true;
              told.complete(null);
            });
    return told::join;
  }

  @Override
  public void drainedEnd() {
    if (follows && ownLane != null) {
      ownLane
          .context()
          .execute(
              () -> {
                stopped = false;
                sendMore();
              });
    }
  }

  /** One who follows takes his lane along; the other goes on sending from where he is. */
  @Override
  public void prepareContextChange(AioContext target, ContextChange change) {
    if (!follows || ownLane == null) {
      return;
    }
    BackendLane next = target.call(() -> backend.openLane(target));
    change.add(
        new Transaction.Action() {
          private BackendLane unused = next;

          @Override
          public void commit() {
            unused = ownLane;
            if (fault != Fault.STAYS_ON_THE_OLD_LANE) {
              next.adopt(ownLane);
              ownLane = next;
            }
          }

          @Override
          public void clean() {
            closeLane(unused);
          }
        });
  }

  /** Sends nothing more, after a hang. Any thread. */
  void abandon() {
    ended = true;
  }

  /** Sends nothing more; returns when all that was sent has come back. Control side. */
  void end() {
    ownLane
        .context()
        .call(
            () -> {
              ended = true;
              return null;
            });
    backend.drain();
    ownLane.context().call(this::checkNoneIsLost);
    closeLane(ownLane);
    ownLane = null;
    backend.close();
  }

  private Void checkNoneIsLost() {
    for (Request request : requests) {
      if (request.busy) {
        violation.compareAndSet(null, name + ": a request has never come back");
      }
    }
    return null;
  }

  private void closeLane(BackendLane old) {
    try {
      old.context()
          .call(
              () -> {
                old.close();
                return null;
              });
    } catch (IllegalStateException e) {
      violation.compareAndSet(null, name + ": " + e.getMessage());
    }
  }
}

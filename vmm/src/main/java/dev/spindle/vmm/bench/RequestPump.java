// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockRequest;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;

/** Keeps reads or writes of 4 KiB in flight on one lane, as many as it has requests. */
final class RequestPump {
  /** Goes grow until they take this long, so that starting one costs nothing beside it. */
  private static final long GO_NS = 20_000_000;

  private static final int FIRST_GO = 1_000;

  /** What a run showed. */
  record Run(double nsPerRequest, double allocatedBytesPerRequest) {}

  private final BackendLane lane;
  private final long blocks;
  private final Transfer[] idle;
  private final SplittableRandom random = new SplittableRandom(1);
  private final long thread;

  /** Requests of one go; more where they are fast. */
  private int go = FIRST_GO;

  /** The lane's context only, like what follows. */
  private int idleCount;

  private int left;
  private boolean pumping;
  private CompletableFuture<Void> done;

  /** One request. */
  private final class Transfer extends BlockRequest {
    private final MemorySegment buffer;

    Transfer(Operation kind, MemorySegment buffer) {
      super(1);
      this.buffer = buffer;
      operation = kind;
      length = Workload.BLOCK_BYTES;
    }

    void start() {
      buffers.clear();
      buffers.add(buffer, 0, Workload.BLOCK_BYTES);
      offset = random.nextLong(blocks) * Workload.BLOCK_BYTES;
      lane.submit(this);
    }

    @Override
    protected void completed(int result) {
      if (result != 0) {
        done.completeExceptionally(new IllegalStateException("a request ended with " + result));
      }
      idle[idleCount++] = this;
      if (!pumping) {
        pump();
      }
    }
  }

  /**
   * Makes a pump that stands still.
   *
   * @param operation a read or a write
   * @param thread the number of the context's Java thread
   * @param length of the node in bytes
   * @param memory a block for each request
   */
  RequestPump(
      BackendLane lane,
      BlockRequest.Operation operation,
      long thread,
      long length,
      MemorySegment memory) {
    this.lane = lane;
    this.blocks = length / Workload.BLOCK_BYTES;
    this.thread = thread;
    this.idle = new Transfer[(int) (memory.byteSize() / Workload.BLOCK_BYTES)];
    for (int i = 0; i < idle.length; i++) {
      idle[i] =
          new Transfer(
              operation, memory.asSlice((long) i * Workload.BLOCK_BYTES, Workload.BLOCK_BYTES));
    }
    this.idleCount = idle.length;
  }

  /** Sends what may be sent; one that ends at once is sent again by the loop, not by itself. */
  private void pump() {
    pumping = true;
    while (left > 0 && idleCount > 0) {
      left--;
      idle[--idleCount].start();
    }
    pumping = false;
    if (left == 0 && idleCount == idle.length) {
      done.complete(null);
    }
  }

  /** Pumps for a while; any thread that may wait. */
  Run run(long forNs) {
    return run(forNs, () -> {});
  }

  /**
   * As {@link #run(long)}, and has {@code before} run each time that nothing is in flight, which
   * does not count.
   */
  Run run(long forNs, Runnable before) {
    long ns = 0;
    long requests = 0;
    long allocatedBefore = ThreadAllocation.of(thread);
    while (ns < forNs) {
      before.run();
      CompletableFuture<Void> end = new CompletableFuture<>();
      int requestsNow = go;
      long start = System.nanoTime();
      lane.context()
          .execute(
              () -> {
                done = end;
                left = requestsNow;
                pump();
              });
      end.join();
      long took = System.nanoTime() - start;
      ns += took;
      requests += requestsNow;
      if (took < GO_NS) {
        go *= 2;
      }
    }
    double allocated = ThreadAllocation.of(thread) - allocatedBefore;
    return new Run((double) ns / requests, allocated / requests);
  }
}

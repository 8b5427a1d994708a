// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.vmm.bench.Workload;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;

/** Keeps requests in flight on one lane for a while, and measures how long each takes. */
final class TimedPump {
  private static final int PERCENT = 100;

  private final BackendLane lane;
  private final long bytes;
  private final Transfer[] transfers;
  private final LatencyHistogram latencies = new LatencyHistogram();
  private final SplittableRandom random = new SplittableRandom(1);

  /** The lane's context only, like what follows. */
  private Workload workload;

  private long endNs;
  private long nextBlock;
  private int running;
  private boolean starting;
  private int idleCount;
  private final Transfer[] idle;
  private CompletableFuture<Long> done;
  private long startNs;

  /** One request. */
  private final class Transfer extends BlockRequest {
    private final MemorySegment buffer;
    private long sentNs;

    Transfer(MemorySegment buffer) {
      super(1);
      this.buffer = buffer;
    }

    void start() {
      int block = workload.blockBytes();
      boolean read = random.nextInt(PERCENT) < workload.access().readPercent();
      operation = read ? Operation.READ : Operation.WRITE;
      length = block;
      offset = place(block);
      buffers.clear();
      buffers.add(buffer, 0, block);
      sentNs = System.nanoTime();
      lane.submit(this);
    }

    private long place(int block) {
      long blocks = bytes / block;
      if (!workload.access().isSequential()) {
        return random.nextLong(blocks) * block;
      }
      long here = nextBlock;
      nextBlock = (nextBlock + 1) % blocks;
      return here * block;
    }

    @Override
    protected void completed(int result) {
      latencies.record(System.nanoTime() - sentNs);
      if (result != 0) {
        done.completeExceptionally(new IllegalStateException("a request ended with " + result));
      }
      idle[idleCount++] = this;
      if (!starting) {
        goOn();
      }
    }
  }

  /**
   * Makes a pump that stands still.
   *
   * @param bytes the length of the node
   * @param memory what is written, and read into
   * @param depth the most requests at once
   */
  TimedPump(BackendLane lane, long bytes, MemorySegment memory, int depth) {
    this.lane = lane;
    this.bytes = bytes;
    this.transfers = new Transfer[depth];
    this.idle = new Transfer[depth];
    long each = memory.byteSize() / depth;
    for (int i = 0; i < depth; i++) {
      transfers[i] = new Transfer(memory.asSlice(i * each, each));
    }
  }

  /**
   * Begins; the lane's context only.
   *
   * @param depth at most that of the pump
   * @return completes, with the nanoseconds it took, when the last request has been answered
   */
  CompletableFuture<Long> start(Workload what, int depth, long forNs) {
    workload = what;
    latencies.clear();
    nextBlock = 0;
    done = new CompletableFuture<>();
    startNs = System.nanoTime();
    endNs = startNs + forNs;
    running = depth;
    System.arraycopy(transfers, 0, idle, 0, depth);
    idleCount = depth;
    goOn();
    return done;
  }

  /** What was measured, once {@link #start} has completed. */
  LatencyHistogram latencies() {
    return latencies;
  }

  /** Sends what may be sent; one that ends at once is sent again by the loop, not by itself. */
  private void goOn() {
    starting = true;
    while (idleCount > 0 && System.nanoTime() < endNs) {
      idle[--idleCount].start();
    }
    starting = false;
    if (idleCount == running) {
      done.complete(System.nanoTime() - startNs);
    }
  }
}

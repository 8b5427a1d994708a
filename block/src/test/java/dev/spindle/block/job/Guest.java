// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.TestGraph;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;

/** Somebody who uses a disk from two iothreads, while a job works on it. */
public final class Guest implements AutoCloseable {
  private static final int BLOCK = 4096;
  private static final int MOST_BLOCKS = 32;

  public final BlockBackend backend;
  public final AtomicLong writes = new AtomicLong();
  private final JobWorld world;
  private final List<BackendLane> lanes = new ArrayList<>();
  private final List<Thread> writers = new ArrayList<>();
  private final List<Throwable> failures = new ArrayList<>();
  private volatile boolean stopping;

  public Guest(JobWorld world, BlockNode node) throws Exception {
    this.world = world;
    backend =
        world.test.get(
            () ->
                new BlockBackend(
                    node,
                    new TestGraph.User("guest"),
                    TestGraph.READ_WRITE,
                    EnumSet.of(Permission.CONSISTENT_READ)));
    for (IoThread thread : List.of(world.test.io0, world.test.io1)) {
      lanes.add(world.test.lane(backend, thread));
    }
  }

  private int run(int lane, TestRequest request) {
    TestGraph.send(lanes.get(lane), request);
    return request.result.join();
  }

  /** Sends a request of the test's own. */
  public TestRequest send(TestRequest request) {
    return TestGraph.send(lanes.getFirst(), request);
  }

  public int write(long offset, byte[] data) {
    try (Arena own = Arena.ofShared()) {
      MemorySegment buffer = own.allocate(data.length, BLOCK);
      buffer.copyFrom(MemorySegment.ofArray(data));
      return run(0, TestRequest.transfer(Operation.WRITE, offset, buffer));
    }
  }

  public byte[] read(long offset, int length) {
    try (Arena own = Arena.ofShared()) {
      MemorySegment buffer = own.allocate(length, BLOCK);
      int result = run(1, TestRequest.transfer(Operation.READ, offset, buffer));
      if (result != 0) {
        throw new AssertionError("read: " + result);
      }
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  /** Writes from several threads, over each other too, until {@link #stop}. */
  public void startWriting(long seed) {
    stopping = false;
    for (int i = 0; i < 4; i++) {
      int lane = i % lanes.size();
      Random random = new Random(seed + i);
      writers.add(Thread.ofPlatform().daemon().start(() -> writeUntilStopped(lane, random)));
    }
  }

  private void writeUntilStopped(int lane, Random random) {
    try (Arena own = Arena.ofShared()) {
      MemorySegment buffer = own.allocate(MOST_BLOCKS * BLOCK, BLOCK);
      byte[] data = new byte[MOST_BLOCKS * BLOCK];
      long blocks = backend.node().length() / BLOCK;
      while (!stopping) {
        random.nextBytes(data);
        buffer.copyFrom(MemorySegment.ofArray(data));
        int count = 1 + random.nextInt(MOST_BLOCKS);
        long offset = random.nextLong(blocks - count) * BLOCK;
        long length = (long) count * BLOCK;
        int result =
            run(
                lane,
                random.nextInt(8) == 0
                    ? TestRequest.range(Operation.WRITE_ZEROES, offset, length)
                    : TestRequest.transfer(Operation.WRITE, offset, buffer.asSlice(0, length)));
        if (result != 0) {
          throw new AssertionError("write: " + result);
        }
        writes.incrementAndGet();
      }
    } catch (Throwable e) {
      synchronized (failures) {
        failures.add(e);
      }
      throw e;
    }
  }

  /** Waits until so many more writes are done. */
  public void awaitWrites(int more) {
    long until = writes.get() + more;
    while (writes.get() < until) {
      synchronized (failures) {
        if (!failures.isEmpty()) {
          throw new AssertionError(failures.getFirst());
        }
      }
      Thread.onSpinWait();
    }
  }

  /** Stops the writers. */
  public void stop() throws InterruptedException {
    stopping = true;
    for (Thread writer : writers) {
      writer.join();
    }
    writers.clear();
    synchronized (failures) {
      if (!failures.isEmpty()) {
        throw new AssertionError(failures.getFirst());
      }
    }
  }

  /** Lets go of the disk. Control side. */
  public void leave() {
    lanes.forEach(world.test::closeLane);
    backend.close();
  }

  @Override
  public void close() throws Exception {
    stop();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockRequest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Keeps a disk busy with reads and writes until many of them have left nothing for the garbage
 * collector. Until the compiler has done its work more is allocated, and how soon it has depends on
 * what else the machine does.
 */
public final class AllocationWatch {
  private static final int DEPTH = 16;
  private static final int WINDOW = 5_000;

  /** A watchdog: a second is enough on a machine that has nothing else to do. */
  private static final long PATIENCE_SECONDS = 240;

  private final Disk disk;
  private final boolean writes;
  private final CompletableFuture<Void> nothing = new CompletableFuture<>();
  private final Method counter;
  private final Object bean;

  // Of the disk's context.
  private int ended;
  private boolean counting;
  private long before;

  private volatile long allocated;

  private AllocationWatch(Disk disk, boolean writes) throws ReflectiveOperationException {
    this.disk = disk;
    this.writes = writes;
    // By reflection: the module under test does not read the management modules.
    bean =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    counter =
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getCurrentThreadAllocatedBytes");
  }

  /** Returns once it has; fails if it never does. The disk has 4 MiB at least. */
  public static void awaitNoAllocation(Disk disk) throws Exception {
    await(new AllocationWatch(disk, true), disk);
  }

  /** As {@link #awaitNoAllocation}, with reads alone. */
  public static void awaitNoAllocationByReads(Disk disk) throws Exception {
    await(new AllocationWatch(disk, false), disk);
  }

  private static void await(AllocationWatch watch, Disk disk) throws Exception {
    try (Arena arena = Arena.ofShared()) {
      disk.lane()
          .context()
          .execute(
              () -> {
                for (int i = 0; i < DEPTH; i++) {
                  watch.new Endless(i, arena.allocate(4096, 4096)).send();
                }
              });
      boolean seen = true;
      try {
        watch.nothing.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      } catch (TimeoutException e) {
        seen = false;
        watch.nothing.complete(null);
      }
      disk.mainLoop.control(
          "drain",
          () -> {
            disk.backend.drain();
            return null;
          });
      assertTrue(seen, watch.allocated + " bytes in the last " + WINDOW + " requests");
    }
  }

  private final class Endless extends BlockRequest {
    private final int number;
    private int round;

    Endless(int number, MemorySegment memory) {
      super(2);
      this.number = number;
      buffers.add(memory, 0, 1024);
      buffers.add(memory, 1024, 3072);
    }

    void send() {
      operation = round++ % 2 == 0 && writes ? Operation.WRITE : Operation.READ;
      offset = (number * 64L + round % 64) * 4096;
      length = 4096;
      forceUnitAccess = false;
      disk.lane().submit(this);
    }

    @Override
    protected void completed(int result) {
      if (result != 0) {
        nothing.completeExceptionally(new AssertionError("ended with " + result));
      }
      if (++ended == WINDOW) {
        ended = 0;
        look();
      }
      if (!nothing.isDone()) {
        send();
      }
    }
  }

  private void look() {
    try {
      long now = (Long) counter.invoke(bean);
      allocated = now - before;
      // The first window began before the counter was read.
      if (counting && allocated < WINDOW) {
        nothing.complete(null);
      }
      counting = true;
      before = (Long) counter.invoke(bean);
    } catch (ReflectiveOperationException e) {
      nothing.completeExceptionally(e);
    }
  }
}

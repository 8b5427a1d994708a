// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockRequest;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a front end allocates per request: nothing. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FrontEndAllocationTest {
  /** A watchdog: a second is enough on a machine that has nothing else to do. */
  private static final Duration PATIENCE = Duration.ofSeconds(240);

  private static final int REQUESTS = 20_000;
  private static final int DEPTH = 8;

  @TempDir Path folder;

  /** Until the compiler has done its work, more is allocated: some window has to be without. */
  @Test
  void allocatesNothingPerRequest() throws Exception {
    Path socket = folder.resolve("socket");
    try (QemuStorageDaemon daemon =
            new QemuStorageDaemon(
                socket, "driver=null-co,size=16777216", "writable=on,num-queues=1");
        FrontEndFixture disk =
            new FrontEndFixture("driver=virtio-blk-vhost-user,node-name=disk,path=" + socket, 1)) {
      Pump pump = new Pump(disk.lanes.getFirst());
      long allocated = 0;
      long start = System.nanoTime();
      while (System.nanoTime() - start < PATIENCE.toNanos()) {
        long before = allocated(disk.threadId(0));
        assertTrue(before > 0, "the JVM does not count");
        CompletableFuture<Integer> done = pump.start();
        assertEquals(0, done.join());
        allocated = allocated(disk.threadId(0)) - before;
        // Asking it to start is a task, which is little beside so many requests.
        if (allocated < REQUESTS / 4) {
          return;
        }
      }
      fail(allocated + " bytes for the last " + REQUESTS + " requests");
    }
  }

  /** By reflection: the module under test does not read the management modules. */
  private static long allocated(long threadId) throws Exception {
    Object bean =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    Method counter =
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getThreadAllocatedBytes", long.class);
    return (Long) counter.invoke(bean, threadId);
  }

  /** Keeps some requests on their way, reads and writes in turns. The lane's context only. */
  private static final class Pump {
    private final BackendLane lane;
    private final Transfer[] transfers = new Transfer[DEPTH];
    private int left;
    private int onTheirWay;
    private CompletableFuture<Integer> done;

    Pump(BackendLane lane) {
      this.lane = lane;
      for (int i = 0; i < DEPTH; i++) {
        transfers[i] = new Transfer(FrontEndFixture.bytes(new byte[4096 << i % 3]), i);
      }
    }

    CompletableFuture<Integer> start() {
      CompletableFuture<Integer> end = new CompletableFuture<>();
      lane.context()
          .execute(
              () -> {
                done = end;
                left = REQUESTS;
                for (Transfer transfer : transfers) {
                  onTheirWay++;
                  lane.submit(transfer);
                }
              });
      return end;
    }

    private final class Transfer extends BlockRequest {
      Transfer(MemorySegment memory, int number) {
        super(1);
        operation = number % 2 == 0 ? Operation.READ : Operation.WRITE;
        offset = number * 65536L;
        length = memory.byteSize();
        buffers.add(memory, 0, length);
      }

      @Override
      protected void completed(int result) {
        onTheirWay--;
        if (result == 0 && --left > 0) {
          onTheirWay++;
          lane.submit(this);
        } else if (onTheirWay == 0 || result != 0) {
          done.complete(result);
        }
      }
    }
  }
}

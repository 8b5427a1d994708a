// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockRequest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests to clusters that there are leave nothing for the garbage collector. */
@Timeout(300)
class Qcow2AllocationTest {
  private static final int DEPTH = 16;
  private static final int WINDOW = 5_000;
  private static final int WINDOWS = 100;

  @TempDir Path directory;

  private final CompletableFuture<Long> least = new CompletableFuture<>();
  private Method counter;
  private Object bean;
  private int ended;
  private int windows;
  private long before;

  private final class Endless extends BlockRequest {
    private final Disk disk;
    private final int number;
    private int round;

    Endless(Disk disk, int number, MemorySegment memory) {
      super(2);
      this.disk = disk;
      this.number = number;
      buffers.add(memory, 0, 1024);
      buffers.add(memory, 1024, 3072);
    }

    void send() {
      operation = round++ % 2 == 0 ? Operation.WRITE : Operation.READ;
      offset = (number * 64L + round % 64) * 4096;
      length = 4096;
      forceUnitAccess = false;
      disk.lane().submit(this);
    }

    @Override
    protected void completed(int result) {
      if (result != 0) {
        least.completeExceptionally(new AssertionError("ended with " + result));
      }
      if (++ended == WINDOW) {
        ended = 0;
        look();
      }
      if (!least.isDone()) {
        send();
      }
    }
  }

  private void look() {
    try {
      long now = (Long) counter.invoke(bean);
      long allocated = now - before;
      // The first window began before the counter was read.
      if (windows++ > 0 && (allocated < WINDOW || windows == WINDOWS)) {
        least.complete(allocated);
      }
      before = (Long) counter.invoke(bean);
    } catch (ReflectiveOperationException e) {
      least.completeExceptionally(e);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=65536", "cluster_size=65536,extended_l2=on"})
  void requestsAllocateNothing(String options) throws Exception {
    // By reflection: the module under test does not read the management modules.
    bean =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    counter =
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getCurrentThreadAllocatedBytes");
    Path file = directory.resolve("image.qcow2");
    QemuImg.create(file, options, 8 << 20);
    QemuImg.io(file, List.of("write -P 1 0 8M"));
    try (Disk disk = new Disk("driver=qcow2,file.driver=file,file.filename=" + file);
        Arena arena = Arena.ofShared()) {
      disk.lane()
          .context()
          .execute(
              () -> {
                for (int i = 0; i < DEPTH; i++) {
                  new Endless(disk, i, arena.allocate(4096, 4096)).send();
                }
              });
      long bytes = least.join();
      assertTrue(bytes < WINDOW, bytes + " bytes in the last " + WINDOW + " requests");
      disk.mainLoop.control(
          "drain",
          () -> {
            disk.backend.drain();
            return null;
          });
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.graph.SharedMemory;
import dev.spindle.devices.vhost.QemuStorageDaemon;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.GuestDriver;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Moves of a device whose disk another process serves. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FrontEndMoveTest {
  private static final int QUEUES = 2;
  private static final int SLOTS = 16;
  private static final int BLOCK = 4096;

  @TempDir Path folder;

  /** With guest memory shared or not, and a queue for each of the device's or only one. */
  @ParameterizedTest
  @CsvSource({"true,2", "false,2", "true,1"})
  void losesNothing(boolean shared, int queues) throws Exception {
    Path image = folder.resolve("disk.raw");
    Path socket = folder.resolve("socket");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(16 << 20);
    }
    String blockdev =
        "driver=virtio-blk-vhost-user,node-name=disk,num-queues=" + queues + ",path=" + socket;
    try (QemuStorageDaemon daemon =
            new QemuStorageDaemon(
                socket, "driver=file,filename=" + image, "writable=on,num-queues=2");
        BlkFixture fixture = new BlkFixture(blockdev, "queue-size=64", QUEUES)) {
      if (shared) {
        fixture.control(
            () ->
                fixture.graph.share(
                    new SharedMemory(fixture.memory.segment(), fixture.memory.file(), 0)));
      }
      GuestDriver driver =
          fixture.start(VirtioFeatures.INDIRECT_DESC | VirtioFeatures.EVENT_IDX, -1, QUEUES);
      CompletableFuture<?>[] drivers = new CompletableFuture<?>[QUEUES];
      for (int i = 0; i < QUEUES; i++) {
        BlkDriver queue = fixture.queue(i, SLOTS, BLOCK);
        int number = i;
        drivers[i] =
            CompletableFuture.runAsync(
                () -> new MoveTest.BusyQueue(fixture.memory, queue, number).run(),
                task -> Thread.ofPlatform().start(task));
      }
      CompletableFuture<Void> all = CompletableFuture.allOf(drivers);
      IoThread[] targets = {fixture.io1, fixture.io0};
      int moves = 0;
      while (!all.isDone()) {
        fixture.move(targets[moves % 2]);
        moves++;
      }
      all.get(1, TimeUnit.SECONDS);
      assertNull(driver.resetReason());
      assertTrue(moves > 10, "only " + moves + " moves");
    }
  }
}

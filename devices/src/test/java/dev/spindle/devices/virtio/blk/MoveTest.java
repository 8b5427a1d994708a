// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.Permission;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.GuestDriver;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Moves of a device between iothreads while a driver keeps it busy. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MoveTest {
  private static final int BLOCK = 4096;
  private static final int BLOCKS_PER_QUEUE = 256;
  private static final int QUEUES = 2;
  private static final int SLOTS = 16;
  private static final int REQUESTS = 20_000;

  private Path image;

  @BeforeEach
  void makeImage() throws Exception {
    image = Files.createTempFile(Path.of("target"), "move", ".raw");
    image.toFile().deleteOnExit();
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength((long) QUEUES * BLOCKS_PER_QUEUE * BLOCK);
    }
  }

  /**
   * One driver thread for each queue writes, reads back and flushes its own blocks and knows what
   * each must hold; meanwhile the device goes back and forth.
   */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void losesAndReordersNothing(boolean packed) throws Exception {
    long ring =
        VirtioFeatures.INDIRECT_DESC
            | VirtioFeatures.EVENT_IDX
            | (packed ? VirtioFeatures.RING_PACKED : 0);
    String blockdev = "driver=file,node-name=disk,cache.direct=on,filename=" + image;
    try (BlkFixture fixture = new BlkFixture(blockdev, "queue-size=64", QUEUES)) {
      GuestDriver driver = fixture.start(ring, -1, QUEUES);
      CompletableFuture<?>[] drivers = new CompletableFuture<?>[QUEUES];
      for (int i = 0; i < QUEUES; i++) {
        BlkDriver queue = fixture.queue(i, SLOTS, BLOCK);
        int number = i;
        drivers[i] =
            CompletableFuture.runAsync(
                () -> new BusyQueue(fixture.memory, queue, number).run(),
                task -> Thread.ofPlatform().start(task));
      }
      CompletableFuture<Void> all = CompletableFuture.allOf(drivers);
      IoThread[] targets = {fixture.io1, fixture.io0};
      int moves = 0;
      while (!all.isDone()) {
        fixture.move(targets[moves % 2]);
        moves++;
        assertSame(targets[(moves - 1) % 2].context(), fixture.node.context());
      }
      all.get(1, TimeUnit.SECONDS);
      assertNull(driver.resetReason());
      assertTrue(moves > 20, "only " + moves + " moves");
      assertEquals(moves, fixture.device.moveStats().moves());
    }
  }

  /** Keeps a queue full of random requests, and checks each answer against what it wrote. */
  static final class BusyQueue {
    private final GuestMemory memory;
    private final BlkDriver queue;
    private final Random random;
    private final long firstBlock;
    private final long[] contents = new long[BLOCKS_PER_QUEUE];
    private final boolean[] busy = new boolean[BLOCKS_PER_QUEUE];
    private final int[] slotBlock = new int[SLOTS];
    private final long[] slotValue = new long[SLOTS];
    private int submitted;
    private int finished;
    private long counter;

    BusyQueue(GuestMemory memory, BlkDriver queue, int number) {
      this.memory = memory;
      this.queue = queue;
      this.random = new Random(1000 + number);
      this.firstBlock = (long) number * BLOCKS_PER_QUEUE;
    }

    void run() {
      for (int slot = 0; slot < SLOTS; slot++) {
        submit(slot);
      }
      queue.kick();
      while (finished < REQUESTS) {
        int slot = queue.await();
        check(slot);
        finished++;
        if (submitted < REQUESTS) {
          submit(slot);
          queue.kick();
        }
      }
    }

    private void submit(int slot) {
      submitted++;
      if (random.nextInt(20) == 0) {
        slotBlock[slot] = -1;
        assertTrue(queue.flush(slot));
        return;
      }
      int block = random.nextInt(BLOCKS_PER_QUEUE);
      while (busy[block]) {
        block = (block + 1) % BLOCKS_PER_QUEUE;
      }
      busy[block] = true;
      slotBlock[slot] = block;
      long sector = (firstBlock + block) * (BLOCK / 512);
      long buffer = queue.buffer(slot);
      boolean write = random.nextBoolean();
      slotValue[slot] = write ? ++counter : -1;
      long fill = write ? counter : 0x5555;
      memory.writeLong(buffer, fill);
      memory.writeLong(buffer + BLOCK - 8, fill);
      assertTrue(queue.transfer(slot, write ? BlkDriver.OUT : BlkDriver.IN, sector, BLOCK));
    }

    private void check(int slot) {
      assertEquals(BlkDriver.OK, queue.status(slot));
      int block = slotBlock[slot];
      if (block < 0) {
        return;
      }
      busy[block] = false;
      if (slotValue[slot] >= 0) {
        contents[block] = slotValue[slot];
        return;
      }
      assertEquals(contents[block], memory.readLong(queue.buffer(slot)));
      assertEquals(contents[block], memory.readLong(queue.buffer(slot) + BLOCK - 8));
    }
  }

  @Test
  void refusesAndChangesNothingWhenAnotherUserCannotFollow() throws Exception {
    String blockdev = "driver=file,node-name=disk,filename=" + image;
    try (BlkFixture fixture = new BlkFixture(blockdev, "", 1)) {
      fixture.start(0, -1, 1);
      BackendUser stubborn = () -> "block device 'stubborn'";
      BlockBackend other =
          fixture.mainLoop.control(
              "attach",
              () ->
                  new BlockBackend(
                      fixture.node,
                      stubborn,
                      Set.of(Permission.CONSISTENT_READ),
                      Permission.all()));
      BlockException refusal = assertThrows(BlockException.class, () -> fixture.move(fixture.io1));
      assertEquals(
          "Changing iothreads is not supported by block device 'stubborn'", refusal.getMessage());
      assertSame(fixture.io0.context(), fixture.node.context());
      assertSame(fixture.io0.context(), fixture.device.placement().of(0));
      assertEquals(0, fixture.device.moveStats().moves());
      BlkDriver queue = fixture.queue(0, 1, BLOCK);
      assertTrue(queue.transfer(0, BlkDriver.IN, 0, BLOCK));
      queue.kick();
      assertEquals(BlkDriver.OK, queue.status(queue.await()));
      fixture.mainLoop.control(
          "detach",
          () -> {
            other.close();
            return null;
          });
      fixture.move(fixture.io1);
      assertSame(fixture.io1.context(), fixture.node.context());
    }
  }

  @Test
  void movesWhileStoppedAndBeforeAnyDriver() throws Exception {
    String blockdev = "driver=file,node-name=disk,filename=" + image;
    try (BlkFixture fixture = new BlkFixture(blockdev, "", 1)) {
      fixture.move(fixture.io1);
      fixture.start(0, -1, 1);
      BlkDriver queue = fixture.queue(0, 1, BLOCK);
      fixture.mainLoop.control(
          "stop",
          () -> {
            fixture.device.quiesce();
            return null;
          });
      assertTrue(queue.transfer(0, BlkDriver.IN, 0, BLOCK));
      queue.kick();
      fixture.move(fixture.io0);
      assertEquals(-1, queue.reap(), "a stopped device took a request");
      fixture.mainLoop.control(
          "cont",
          () -> {
            fixture.device.resume();
            return null;
          });
      assertEquals(0, queue.await());
      assertEquals(BlkDriver.OK, queue.status(0));
    }
  }
}

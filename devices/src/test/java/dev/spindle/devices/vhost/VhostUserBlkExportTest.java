// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.DrainedSection;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryRegion;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.virtio.driver.BlkDriver;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Clients that keep to the rules, and one after another. */
class VhostUserBlkExportTest extends OneExport {
  @Test
  void whatAClientWritesIsInTheFile() throws Exception {
    assertSame(world.io0.context(), world.node("disk").context());
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      ByteBuffer config = ByteBuffer.wrap(client.config(0, 60)).order(ByteOrder.LITTLE_ENDIAN);
      assertEquals(DISK_BYTES / 512, config.getLong(0));
      assertEquals(126, config.getInt(12));
      assertEquals(1, client.askWord(VhostUserRequest.GET_QUEUE_NUM));
      byte[] data = pattern(1, 64 << 10);
      client.write(128, data);
      assertEquals(BlkDriver.OK, client.run(BlkDriver.FLUSH, 0, 0));
      assertArrayEquals(data, onDisk(128, data.length));
      assertArrayEquals(data, client.read(128, data.length));
      assertEquals(BlkDriver.IOERR, client.run(BlkDriver.IN, DISK_BYTES / 512, 512));
      assertEquals(BlkDriver.UNSUPP, client.run(77, 0, 512));
    }
  }

  @Test
  void clientsComeOneAfterAnotherAndAnIdleOneMayStopAndGoOn() throws Exception {
    for (int i = 0; i < 5; i++) {
      try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
        client.write(i, pattern(i, 512));
        client.write(i + 8, pattern(i, 512));
        assertEquals(2, client.stopQueue());
        client.startQueue(2);
        assertArrayEquals(pattern(i, 512), client.read(i, 512));
        client.send(VhostUserRequest.SET_VRING_ENABLE, new VringState(0, 0));
        client.send(VhostUserRequest.SET_VRING_ENABLE, new VringState(0, 1));
        assertArrayEquals(pattern(i, 512), client.read(i + 8, 512));
      }
    }
  }

  /** Where a packed ring stands takes 32 bits: two places and the wrap counters there. */
  @Test
  void aPackedQueueStopsAndGoesOn() throws Exception {
    Random random = new Random(9);
    int begin = 0x8000_8000;
    try (TestFrontEnd client = new TestFrontEnd(TestFrontEnd.FEATURES | 1L << 34)) {
      client.connect(socket);
      client.negotiate();
      client.sendMemory();
      int base = begin;
      boolean wrapped = false;
      for (int round = 0; round < 20; round++) {
        client.startQueue(base);
        for (int i = 0; i < 1 + random.nextInt(30); i++) {
          byte[] data = pattern(random.nextLong(), 512 << random.nextInt(6));
          client.write(16, data);
          assertArrayEquals(data, onDisk(16, data.length));
          assertArrayEquals(data, client.read(16, data.length));
        }
        base = client.stopQueue();
        assertEquals(base >>> 16, base & 0xffff, "nothing is under way");
        wrapped |= (base & 0x8000) == 0;
      }
      assertTrue(wrapped, "not once round the ring");
      client.startQueue(base ^ 0x0001_0000);
      client.awaitHangUp();
    }
  }

  /** It is neither obeyed then nor forgotten. */
  @Test
  void aKickBeforeTheQueueIsEnabledWaitsUntilItIs() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket)) {
      client.negotiate();
      client.sendMemory();
      client.describeQueue(0);
      client.submit(0, BlkDriver.IN, 0, 512);
      client.kick.signal();
      client.settle();
      // Where the queue stands: nothing has been taken.
      assertEquals(0, client.stopQueue());
      assertEquals(BlkDriver.UNANSWERED, client.status(0));
      client.startQueue(0);
      client.kick();
      assertEquals(0, client.await());
      assertEquals(BlkDriver.OK, client.status(0));
    }
  }

  @Test
  void manyClientsAreServedAtATime() throws Exception {
    List<TestFrontEnd> clients = new ArrayList<>();
    try {
      for (int i = 0; i < 20; i++) {
        Path place = folder.resolve("many" + i);
        world.open("driver=null-co,size=1M,node-name=many" + i);
        world.export(
            "vhost-user-blk,id=many%d,node-name=many%d,writable=on,addr.type=unix,addr.path=%s"
                .formatted(i, i, place));
        clients.add(TestFrontEnd.connected(place).start());
        clients.getLast().read(0, 512);
      }
    } finally {
      clients.forEach(TestFrontEnd::close);
    }
  }

  @Test
  void theExportFollowsItsNodeUnderLoad() throws Exception {
    Random random = new Random(3);
    byte[] expected = new byte[DISK_BYTES];
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      Thread mover =
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int i = 0; i < 100; i++) {
                      try {
                        world.move("disk", i % 2 == 0 ? world.io1 : world.io0);
                      } catch (Exception e) {
                        throw new IllegalStateException(e);
                      }
                    }
                  });
      long done = 0;
      while (mover.isAlive() || done < 2000) {
        for (int slot = 0; slot < 16; slot++) {
          // Each slot writes to a part of the disk of its own.
          int sector = slot * 512 + random.nextInt(500);
          byte[] data = pattern(random.nextLong(), 4096);
          System.arraycopy(data, 0, expected, sector * 512, data.length);
          client.submitWrite(slot, sector, data);
        }
        client.kick();
        for (int i = 0; i < 16; i++) {
          assertEquals(BlkDriver.OK, client.status(client.await()));
          done++;
        }
      }
      mover.join();
      assertArrayEquals(expected, Files.readAllBytes(image));
    }
    assertSame(world.io0.context(), world.node("disk").context());
  }

  @Test
  void aSectionHoldsTheClientBackAndNothingIsLost() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      client.write(0, pattern(1, 512));
      DrainedSection[] section = new DrainedSection[1];
      world.control(() -> section[0] = DrainedSection.begin(List.of(world.graph.find("disk"))));
      client.submitWrite(1, 1, pattern(2, 512));
      client.kick();
      client.settle();
      assertArrayEquals(new byte[512], onDisk(1, 512));
      world.control(() -> section[0].close());
      assertEquals(1, client.await());
      assertArrayEquals(pattern(2, 512), onDisk(1, 512));
    }
  }

  @Test
  void memoryComesAndGoesInSlots() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket)) {
      client.negotiate();
      assertTrue(client.askWord(VhostUserRequest.GET_MAX_MEM_SLOTS) >= 32);
      // The rings and headers are in the first half of the memory, some buffers in the second.
      long half = TestFrontEnd.MEMORY_BYTES / 2;
      client.send(
          VhostUserRequest.ADD_MEM_REG,
          new MemoryRegion(TestFrontEnd.region(0, half, 0)),
          client.memory.file());
      client.startQueue(0);
      client.write(0, pattern(1, 512));
      client.send(
          VhostUserRequest.ADD_MEM_REG,
          new MemoryRegion(TestFrontEnd.region(half, half, half)),
          client.memory.file());
      client.settle();
      int high = TestFrontEnd.QUEUE_SIZE - 1;
      assertTrue(client.buffer(high) >= half);
      client.submitWrite(high, 1, pattern(2, 512));
      client.kick();
      assertEquals(high, client.await());
      assertArrayEquals(pattern(2, 512), onDisk(1, 512));
      client.send(
          VhostUserRequest.REM_MEM_REG, new MemoryRegion(TestFrontEnd.region(half, half, half)));
      client.settle();
      assertArrayEquals(pattern(2, 512), client.read(1, 512));
      client.submitWrite(high, 1, pattern(2, 512));
      client.kick();
      client.awaitHangUp();
    }
  }

  @Test
  void aNewMemoryTableLeavesTheQueueAtWork() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      client.write(0, pattern(1, 512));
      long half = TestFrontEnd.MEMORY_BYTES / 2;
      client.send(
          VhostUserRequest.SET_MEM_TABLE,
          new MemoryTable(
              List.of(TestFrontEnd.region(0, half, 0), TestFrontEnd.region(half, half, half))),
          client.memory.file(),
          client.memory.file());
      assertArrayEquals(pattern(1, 512), client.read(0, 512));
    }
  }

  @Test
  void anExportThatEndsHangsUp() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      client.write(0, pattern(1, 512));
      world.exports.close("e");
      assertTrue(client.isHungUp());
      assertThrows(
          IOException.class,
          () -> TestFrontEnd.connected(socket).close(),
          "nobody listens any more");
    }
  }

  /** Who has hung up has said all that he will. */
  @Test
  void anExportThatEndsAnswersFirst() throws Exception {
    Path place = folder.resolve("slow");
    world.open("driver=null-co,node-name=null,size=1M,latency-ns=500000000");
    world.export(
        "vhost-user-blk,id=s,node-name=null,writable=on,addr.type=unix,addr.path=" + place);
    try (TestFrontEnd client = TestFrontEnd.connected(place).start()) {
      int requests = 8;
      for (int slot = 0; slot < requests; slot++) {
        client.submit(slot, BlkDriver.IN, slot, 512);
      }
      client.kick();
      while (world.inFlight("export 's'") < requests
          && client.status(0) == (BlkDriver.UNANSWERED & 0xff)) {
        Thread.onSpinWait();
      }
      CompletableFuture<Void> closed =
          CompletableFuture.runAsync(
              () -> {
                try {
                  world.exports.close("s");
                } catch (Exception e) {
                  throw new IllegalStateException(e);
                }
              });
      client.awaitHangUp();
      for (int i = 0; i < requests; i++) {
        assertTrue(client.queue.reap(), "request " + i);
        assertEquals(BlkDriver.OK, client.status(client.queue.token()));
      }
      closed.join();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.Breakpoints;
import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.linux.Fd;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.MemFd;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a back end notes in memory that it shares: requests in flight, and pages written. */
class BackEndLogsTest extends OneExport {
  @Test
  void requestsThatABackEndLeftBehindAreCarriedOut() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start()) {
      client.write(0, pattern(1, 512));
      client.stopQueue();
      Fd file = client.inflight();
      client.startQueue(1);
      client.write(1, pattern(2, 512));
      client.stopQueue();
      client.disconnect();

      // As if a back end had taken three requests, given one back, and died before the rest.
      try (Mapping mapping = Mapping.shared(file, 0, InflightLog.bytes(64))) {
        MemorySegment log = mapping.segment();
        for (int slot = 0; slot < 3; slot++) {
          client.submitWrite(slot, 10 + slot, pattern(10 + slot, 512));
        }
        client.kick();
        for (int slot = 0; slot < 3; slot++) {
          int head = headOf(client, 2 + slot);
          log.set(ValueLayout.JAVA_LONG, 16 + 16L * head + 8, 100 + slot);
          log.set(ValueLayout.JAVA_BYTE, 16 + 16L * head, (byte) 1);
        }
        client.connect(socket);
        client.negotiate();
        client.sendMemory();
        client.sendInflight(
            new Inflight(InflightLog.bytes(64), 0, 1, TestFrontEnd.QUEUE_SIZE), file);
        client.startQueue(2);
        for (int i = 0; i < 3; i++) {
          assertEquals(BlkDriver.OK, client.status(client.await()));
        }
        for (int slot = 0; slot < 3; slot++) {
          assertArrayEquals(pattern(10 + slot, 512), onDisk(10 + slot, 512));
        }
        client.write(20, pattern(5, 512));
        assertEquals(6, client.stopQueue());
        for (int head = 0; head < 64; head++) {
          assertEquals(0, log.get(ValueLayout.JAVA_BYTE, 16 + 16L * head), "head " + head);
        }
      }
    }
  }

  /**
   * A back end that is killed leaves memory as it is then: that is kept, and given to the next one
   * when the first has long gone on and finished.
   */
  @Test
  void requestsThatABackEndLeftInAPackedQueueAreCarriedOut() throws Exception {
    world.open("driver=blkdebug,node-name=debug,image=disk");
    world.open("driver=raw,node-name=top,file=debug");
    Breakpoints breakpoints =
        world.mainLoop.<Breakpoints, Exception>control(
            "breakpoints", () -> Breakpoints.of(world.graph.find("debug")));
    Path place = folder.resolve("packed");
    String export =
        "vhost-user-blk,id=p,node-name=top,writable=on,iothread=io0,addr.type=unix,addr.path="
            + place;
    world.export(export);
    Random random = new Random(5);
    try (TestFrontEnd client = new TestFrontEnd(TestFrontEnd.FEATURES | 1L << 34)) {
      client.connect(place);
      client.negotiate();
      client.sendMemory();
      Inflight area = new Inflight(PackedInflightLog.bytes(TestFrontEnd.QUEUE_SIZE), 0, 1, 64);
      Fd file = client.inflight();
      client.startQueue(0x8000_8000);
      try (Mapping mapping = Mapping.shared(file, 0, area.bytes())) {
        for (int round = 0; round < 20; round++) {
          for (int i = random.nextInt(20); i > 0; i--) {
            client.write(100, pattern(i, 512));
          }
          for (int slot = 0; slot < 2; slot++) {
            breakpoints.breakOn(BlkdebugEvent.WRITE_AIO, "b" + slot);
            client.submitWrite(slot, slot, pattern(round * 10 + slot, 512));
            client.kick();
            breakpoints.awaitSuspended("b" + slot);
          }
          // Later ones are given back before, over their descriptors.
          for (int slot = 2; slot < 6; slot++) {
            client.submitWrite(slot, slot, pattern(round * 10 + slot, 512));
            client.kick();
            assertEquals(slot, client.await());
          }
          byte[] memory = new byte[(int) TestFrontEnd.MEMORY_BYTES];
          client.memory.read(0, memory);
          byte[] log = mapping.segment().toArray(ValueLayout.JAVA_BYTE);
          breakpoints.resume("b0");
          breakpoints.resume("b1");
          world.exports.close("p");
          client.disconnect();
          client.memory.write(0, memory);
          MemorySegment.copy(log, 0, mapping.segment(), ValueLayout.JAVA_BYTE, 0, log.length);
          try (FileChannel channel = FileChannel.open(image, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1024), 0);
          }
          world.export(export);
          client.connect(place);
          client.negotiate();
          client.sendMemory();
          client.sendInflight(area, file);
          // Where the ring was at the very beginning, as far as the front end knows.
          client.startQueue(0x8000_8000);
          Set<Integer> answered = new HashSet<>();
          for (int i = 0; i < 2; i++) {
            int slot = client.await();
            assertEquals(BlkDriver.OK, client.status(slot));
            answered.add(slot);
          }
          assertEquals(Set.of(0, 1), answered);
          for (int slot = 0; slot < 6; slot++) {
            assertArrayEquals(pattern(round * 10 + slot, 512), onDisk(slot, 512), "" + slot);
          }
        }
      }
    }
    world.exports.close("p");
    world.control(
        () -> {
          world.graph.close(world.graph.find("top"));
          world.graph.close(world.graph.find("debug"));
        });
  }

  private static int headOf(TestFrontEnd client, int availIndex) {
    return client.memory.readShort(client.queue.config().driverArea() + 4 + 2L * (availIndex % 64));
  }

  @Test
  void whatIsWrittenToAGuestThatMigratesIsLogged() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start();
        LogMemory log = new LogMemory(TestFrontEnd.MEMORY_BYTES >> 15)) {
      client.write(0, pattern(1, 512));
      log.send(client);
      client.send(
          VhostUserRequest.SET_FEATURES,
          new VhostUserPayload.Word(client.features | VhostUserFeatures.LOG_ALL));
      client.send(VhostUserRequest.SET_VRING_ADDR, client.address(1));
      client.settle();
      assertEquals(0, log.marked(), "nothing has been written yet");
      client.submit(5, BlkDriver.IN, 0, 8192);
      client.kick();
      assertEquals(5, client.await());
      client.stopQueue();
      assertTrue(log.isMarked(client.buffer(5)));
      assertTrue(log.isMarked(client.buffer(5) + 4096));
      assertFalse(log.isMarked(client.buffer(5) + 8192));
      assertTrue(log.isMarked(client.queue.config().deviceArea()), "the used ring");
      assertTrue(log.marked() <= 5);
    }
  }

  /** A log of written pages. */
  private static final class LogMemory implements AutoCloseable {
    private final MemFd file;
    private final Mapping mapping;

    LogMemory(long bytes) throws Exception {
      file = MemFd.create("log", bytes, MemFd.Pages.NORMAL);
      mapping = file.map();
    }

    void send(TestFrontEnd client) throws Exception {
      client.send(
          VhostUserRequest.SET_LOG_BASE, new VhostUserPayload.LogArea(file.size(), 0), file.fd());
      client.socket.receiveReply(VhostUserRequest.SET_LOG_BASE);
    }

    boolean isMarked(long address) {
      long page = address >> 12;
      return (mapping.segment().get(ValueLayout.JAVA_BYTE, page >> 3) >> (page & 7) & 1) != 0;
    }

    int marked() {
      int count = 0;
      for (long at = 0; at < file.size(); at++) {
        count += Integer.bitCount(mapping.segment().get(ValueLayout.JAVA_BYTE, at) & 0xff);
      }
      return count;
    }

    @Override
    public void close() {
      mapping.close();
      file.close();
    }
  }
}

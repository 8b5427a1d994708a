// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.Breakpoints;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.Permission;
import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryRegion;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.linux.Fd;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.MemFd;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Clients that keep to the rules, and one after another. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class VhostUserBlkExportTest {
  private static final int DISK_BYTES = 4 << 20;

  @TempDir Path folder;
  private Path image;
  private Path socket;
  private ExportWorld world;

  @BeforeEach
  void serve() throws Exception {
    image = Files.write(folder.resolve("disk.img"), new byte[DISK_BYTES]);
    socket = folder.resolve("vhost.sock");
    world = new ExportWorld();
    world.open("driver=file,node-name=disk,filename=" + image);
    world.export(
        "vhost-user-blk,id=e,node-name=disk,writable=on,iothread=io0,addr.type=unix,addr.path="
            + socket);
  }

  @AfterEach
  void end() throws Exception {
    world.close();
    assertFalse(Files.exists(socket), "the socket stays behind");
  }

  private static byte[] pattern(long seed, int bytes) {
    byte[] data = new byte[bytes];
    new Random(seed).nextBytes(data);
    return data;
  }

  private byte[] onDisk(long sector, int bytes) throws Exception {
    return Arrays.copyOfRange(
        Files.readAllBytes(image), (int) sector * 512, (int) sector * 512 + bytes);
  }

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

  @Test
  void aNodeThatGrowsIsNoticed() throws Exception {
    String blockdev = "driver=raw,node-name=window,file=disk,size=";
    world.open(blockdev + "1M");
    Path place = folder.resolve("window");
    world.export(
        "vhost-user-blk,id=w,node-name=window,writable=on,addr.type=unix,addr.path=" + place);
    List<UnixSocket> channel = UnixSocket.pair(UnixSocket.Type.STREAM);
    try (TestFrontEnd client = TestFrontEnd.connected(place).start();
        UnixSocket ours = channel.get(0);
        Arena arena = Arena.ofConfined()) {
      client.send(
          VhostUserRequest.SET_BACKEND_REQ_FD, new VhostUserPayload.Empty(), channel.get(1).fd());
      client.settle();
      channel.get(1).close();
      assertEquals(BlkDriver.IOERR, client.run(BlkDriver.IN, 2048, 512));
      world.control(() -> world.graph.reopen(List.of(FrontEndFixture.options(blockdev + "2M"))));
      MemorySegment message = arena.allocate(12);
      assertEquals(12, ours.receive(message, 0).bytes());
      assertEquals(2, message.get(ValueLayout.JAVA_INT, 0), "BACKEND_CONFIG_CHANGE_MSG");
      assertEquals(0, message.get(ValueLayout.JAVA_INT, 8), "nothing follows");
      assertEquals(
          4096, ByteBuffer.wrap(client.config(0, 60)).order(ByteOrder.LITTLE_ENDIAN).getLong(0));
      client.write(2048, pattern(1, 512));
      assertArrayEquals(pattern(1, 512), onDisk(2048, 512));
      client.send(
          VhostUserRequest.SET_BACKEND_REQ_FD, new VhostUserPayload.Empty(), client.memory.file());
      client.awaitHangUp();
    }
    world.exports.close("w");
    world.control(() -> world.graph.close(world.graph.find("window")));
  }

  /** By one of its users, as {@code block_resize} does. */
  @Test
  void aNodeThatIsResizedIsNoticed() throws Exception {
    BlockBackend[] resizer = new BlockBackend[1];
    world.control(
        () ->
            resizer[0] =
                new BlockBackend(
                    world.graph.find("disk"),
                    new Resizer(),
                    EnumSet.of(Permission.RESIZE),
                    Permission.all()));
    List<UnixSocket> channel = UnixSocket.pair(UnixSocket.Type.STREAM);
    try (TestFrontEnd client = TestFrontEnd.connected(socket).start();
        UnixSocket ours = channel.get(0);
        Arena arena = Arena.ofConfined()) {
      client.send(
          VhostUserRequest.SET_BACKEND_REQ_FD, new VhostUserPayload.Empty(), channel.get(1).fd());
      client.settle();
      channel.get(1).close();
      MemorySegment message = arena.allocate(12);
      for (int bytes : new int[] {2 * DISK_BYTES, DISK_BYTES / 2}) {
        world.control(() -> world.graph.resize(resizer[0], bytes));
        assertEquals(12, ours.receive(message, 0).bytes());
        assertEquals(2, message.get(ValueLayout.JAVA_INT, 0), "BACKEND_CONFIG_CHANGE_MSG");
        int sectors = bytes / 512;
        assertEquals(
            sectors,
            ByteBuffer.wrap(client.config(0, 60)).order(ByteOrder.LITTLE_ENDIAN).getLong(0));
        client.write(sectors - 1, pattern(bytes, 512));
        assertArrayEquals(pattern(bytes, 512), onDisk(sectors - 1, 512));
        assertEquals(BlkDriver.IOERR, client.run(BlkDriver.OUT, sectors, 512));
        assertEquals(bytes, Files.size(image));
      }
    }
    world.control(resizer[0]::close);
  }

  private record Resizer() implements BackendUser {
    @Override
    public String describe() {
      return "resizer";
    }

    @Override
    public void prepareContextChange(AioContext target, ContextChange change) {}
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

  @Test
  void whatIsNoListeningSocketIsRefused() throws Exception {
    assertRefused(1_000_000, "Cannot listen: getsockopt descriptor 1000000: EBADF");
    try (MemFd file = MemFd.create("file", 4096, MemFd.Pages.NORMAL);
        UnixSocket server = UnixSocket.listen(folder.resolve("own"), UnixSocket.Type.STREAM, 1)) {
      List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.STREAM);
      int connected = pair.getFirst().fd().number();
      int number = file.fd().number();
      assertRefused(number, "descriptor " + number + " is no local stream socket that listens");
      assertRefused(
          connected, "descriptor " + connected + " is no local stream socket that listens");
      pair.forEach(UnixSocket::close);
      world.export(
          "vhost-user-blk,id=f,node-name=disk,writable=on,addr.type=fd,addr.str="
              + server.fd().duplicate().number());
      try (TestFrontEnd client = TestFrontEnd.connected(folder.resolve("own"))) {
        client.negotiate();
        client.settle();
      }
      world.exports.close("f");
    }
  }

  private void assertRefused(int descriptor, String reason) {
    Exception refusal =
        assertThrows(
            Exception.class,
            () ->
                world.export(
                    "vhost-user-blk,id=f,node-name=disk,addr.type=fd,addr.str=" + descriptor));
    assertTrue(refusal.getMessage().contains(reason), refusal.getMessage());
  }

  @Test
  void aPathThatAKilledProcessLeftIsUsedAgainAndOneInUseIsNot() throws Exception {
    Exception refusal =
        assertThrows(
            Exception.class,
            () ->
                world.export(
                    "vhost-user-blk,id=f,node-name=disk,addr.type=unix,addr.path=" + socket));
    assertTrue(refusal.getMessage().contains("EADDRINUSE"), refusal.getMessage());
    assertTrue(Files.exists(socket));
    assertEquals(1, world.node("disk").parents().size());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.SharedMemory;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.linux.Errno;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The front end with {@code qemu-storage-daemon} behind it. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FrontEndTest {
  private static final int MIB = 1 << 20;

  /** Requests there stay where they are. */
  private static final String NEVER_ENDING =
      "driver=null-co,size=16777216,latency-ns=" + Duration.ofHours(1).toNanos();

  @TempDir Path folder;

  private Path image;
  private Path socket;

  @BeforeEach
  void makeImage() throws Exception {
    image = folder.resolve("disk.raw");
    socket = folder.resolve("socket");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(16 * MIB);
    }
  }

  private QemuStorageDaemon serve(String export) throws Exception {
    return new QemuStorageDaemon(
        socket, "driver=file,discard=unmap,filename=" + image, "writable=on," + export);
  }

  private FrontEndFixture open(String options, int threads) throws Exception {
    return new FrontEndFixture(
        "driver=virtio-blk-vhost-user,node-name=disk,path=" + socket + options, threads);
  }

  @Test
  void readsAndWritesAnyLength() throws Exception {
    Random random = new Random(1);
    byte[] model = new byte[16 * MIB];
    try (QemuStorageDaemon daemon = serve("num-queues=1");
        FrontEndFixture disk = open("", 1)) {
      assertEquals(16 * MIB, disk.node.length());
      int[] lengths = {512, 1024, 4096, 4608, 65536, 131_072, 131_584, 300_032, MIB, 3 * MIB + 512};
      for (int round = 0; round < 40; round++) {
        int length = lengths[round % lengths.length];
        int offset = random.nextInt((model.length - length) / 512) * 512;
        byte[] data = new byte[length];
        random.nextBytes(data);
        assertEquals(0, disk.write(0, offset, FrontEndFixture.bytes(data)));
        System.arraycopy(data, 0, model, offset, length);
        int from = random.nextInt((model.length - length) / 512) * 512;
        MemorySegment read = Arena.ofAuto().allocate(length);
        assertEquals(0, disk.read(0, from, read));
        assertArrayEquals(
            Arrays.copyOfRange(model, from, from + length), read.toArray(ValueLayout.JAVA_BYTE));
      }
      assertEquals(0, disk.run(0, Operation.FLUSH, 0, 0));
    }
    assertArrayEquals(model, Files.readAllBytes(image));
  }

  @Test
  void zeroesAndDiscards() throws Exception {
    byte[] data = new byte[4 * MIB];
    Arrays.fill(data, (byte) 0x5a);
    try (QemuStorageDaemon daemon = serve("num-queues=1");
        FrontEndFixture disk = open("", 1)) {
      assertEquals(0, disk.write(0, MIB, FrontEndFixture.bytes(data)));
      assertEquals(0, disk.run(0, Operation.WRITE_ZEROES, 2 * MIB, 64 << 10));
      assertEquals(0, disk.run(0, Operation.DISCARD, 3 * MIB, MIB));
      assertEquals(0, disk.run(0, Operation.FLUSH, 0, 0));
    }
    QemuStorageDaemon.check(
        image,
        List.of(
            "read -P 0x5a 1M 1M",
            "read -P 0 2M 64k",
            "read -P 0x5a 2112k 960k",
            "read -P 0 3M 1M",
            "read -P 0x5a 4M 1M",
            "read -P 0 5M 1M"));
  }

  @Test
  void leavesDataInSharedMemoryWhereTheyAre() throws Exception {
    Random random = new Random(2);
    byte[] data = new byte[300 << 10];
    random.nextBytes(data);
    try (GuestMemory memory = GuestMemory.allocate(8 * MIB);
        QemuStorageDaemon daemon = serve("num-queues=1");
        FrontEndFixture disk = open("", 1)) {
      SharedMemory shared = new SharedMemory(memory.segment(), memory.file(), 0);
      transferShared(disk, daemon, memory, shared, data);
      assertEquals(0, disk.read(0, MIB, memory.slice(0, data.length)));
      byte[] read = new byte[data.length];
      memory.read(0, read);
      assertArrayEquals(data, read);
    }
  }

  /** Writes data and reads them back by memory that the daemon has mapped just as long. */
  private static void transferShared(
      FrontEndFixture disk,
      QemuStorageDaemon daemon,
      GuestMemory memory,
      SharedMemory shared,
      byte[] data)
      throws Exception {
    control(disk, () -> disk.graph.share(shared));
    assertTrue(daemon.hasMapped("memfd:guest-memory", 8 * MIB));
    memory.write(5000, data);
    assertEquals(0, disk.write(0, MIB, memory.slice(5000, data.length)));
    assertEquals(0, disk.read(0, MIB, memory.slice(4 * MIB, data.length)));
    byte[] read = new byte[data.length];
    memory.read(4 * MIB, read);
    assertArrayEquals(data, read);
    control(disk, () -> disk.graph.unshare(shared));
    assertFalse(daemon.hasMapped("memfd:guest-memory", 8 * MIB));
  }

  /** To a back end that takes memory only all at once, with requests on their way all the time. */
  @Test
  void sharesMemoryAllAtOnceWhileQueuesStandStill() throws Exception {
    Random random = new Random(6);
    byte[] data = new byte[300 << 10];
    random.nextBytes(data);
    Path between = folder.resolve("between");
    try (GuestMemory memory = GuestMemory.allocate(8 * MIB);
        QemuStorageDaemon daemon = serve("num-queues=2");
        WithoutMemorySlots relay = new WithoutMemorySlots(between, socket);
        FrontEndFixture disk =
            new FrontEndFixture(
                "driver=virtio-blk-vhost-user,node-name=disk,num-queues=2,path=" + between, 2)) {
      SharedMemory shared = new SharedMemory(memory.segment(), memory.file(), 0);
      AtomicBoolean done = new AtomicBoolean();
      CompletableFuture<Integer> others =
          CompletableFuture.supplyAsync(
              () -> {
                int result = 0;
                while (!done.get() && result == 0) {
                  result = disk.run(1, request(Operation.READ, 64 << 10));
                }
                return result;
              },
              task -> Thread.ofPlatform().start(task));
      for (int round = 0; round < 5; round++) {
        transferShared(disk, daemon, memory, shared, data);
      }
      done.set(true);
      assertEquals(0, others.join());
      assertEquals(11, relay.tables.get());
    }
    assertArrayEquals(data, Arrays.copyOfRange(Files.readAllBytes(image), MIB, MIB + data.length));
  }

  /** Two lanes on one context, and one on another, that find two queues, or one. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void servesMoreContextsThanQueues(int queues) throws Exception {
    try (QemuStorageDaemon daemon = serve("num-queues=4");
        FrontEndFixture disk = open(",num-queues=" + queues, 3)) {
      List<FrontEndFixture.Request> requests = new ArrayList<>();
      for (int i = 0; i < 600; i++) {
        byte[] data = new byte[4096];
        Arrays.fill(data, (byte) (i % 251 + 1));
        MemorySegment memory = FrontEndFixture.bytes(data);
        requests.add(
            disk.send(
                i % 3,
                new FrontEndFixture.Request(Operation.WRITE, 4096L * i, 4096).buffer(memory)));
      }
      for (FrontEndFixture.Request request : requests) {
        assertEquals(0, request.result.join());
      }
    }
    byte[] contents = Files.readAllBytes(image);
    for (int i = 0; i < 600 * 4096; i++) {
      assertEquals((byte) (i / 4096 % 251 + 1), contents[i]);
    }
  }

  /** Sectors of the same blocks, from two contexts at once, among writes of whole blocks. */
  @Test
  void writesPartsOfBlocks() throws Exception {
    Random random = new Random(4);
    int blocks = 64;
    byte[] model = new byte[blocks * 4096];
    try (QemuStorageDaemon daemon = serve("num-queues=2,logical-block-size=4096");
        FrontEndFixture disk = open(",num-queues=2", 2)) {
      for (int round = 0; round < 20; round++) {
        random.nextBytes(model);
        int whole = random.nextInt(blocks);
        List<FrontEndFixture.Request> requests = new ArrayList<>();
        for (int sector = 0; sector < blocks * 8; sector++) {
          boolean all = sector / 8 == whole;
          if (!all || sector % 8 == 0) {
            requests.add(disk.send(sector % 2, write(model, sector * 512, all ? 4096 : 512)));
          }
        }
        for (FrontEndFixture.Request request : requests) {
          assertEquals(0, request.result.join());
        }
        int zeroes = random.nextInt(blocks * 8 - 40) * 512;
        int length = (1 + random.nextInt(40)) * 512;
        assertEquals(0, disk.run(0, Operation.WRITE_ZEROES, zeroes, length));
        Arrays.fill(model, zeroes, zeroes + length, (byte) 0);
        int from = random.nextInt(blocks * 8 - 40) * 512;
        MemorySegment read = Arena.ofAuto().allocate(length);
        assertEquals(0, disk.read(1, from, read));
        assertArrayEquals(
            Arrays.copyOfRange(model, from, from + length), read.toArray(ValueLayout.JAVA_BYTE));
      }
      assertEquals(0, disk.run(0, Operation.DISCARD, 512, 1024));
    }
    assertArrayEquals(model, Arrays.copyOf(Files.readAllBytes(image), model.length));
  }

  private static FrontEndFixture.Request write(byte[] model, int offset, int length) {
    MemorySegment data = FrontEndFixture.bytes(Arrays.copyOfRange(model, offset, offset + length));
    return new FrontEndFixture.Request(Operation.WRITE, offset, length).buffer(data);
  }

  @Test
  void failsWhatIsOnItsWayWhenTheBackEndIsGone() throws Exception {
    QemuStorageDaemon daemon =
        new QemuStorageDaemon(socket, NEVER_ENDING, "writable=on,num-queues=1");
    try (FrontEndFixture disk = open("", 1)) {
      FrontEndFixture.Request read = disk.send(0, request(Operation.READ, 4096));
      FrontEndFixture.Request write = disk.send(0, request(Operation.WRITE, 3 * MIB));
      // In order behind those two: they are on the ring by now.
      disk.lanes.get(0).context().call(() -> null);
      daemon.kill();
      assertEquals(-Errno.EIO, read.result.join());
      assertEquals(-Errno.EIO, write.result.join());
      assertEquals(-Errno.EIO, disk.run(0, request(Operation.READ, 512)));
    }
  }

  @Test
  void goesOnWithABackEndThatComesBackInTime() throws Exception {
    QemuStorageDaemon first =
        new QemuStorageDaemon(socket, NEVER_ENDING, "writable=on,num-queues=2");
    try (FrontEndFixture disk = open(",reconnect-delay=600,num-queues=2", 2)) {
      byte[] data = new byte[3 * MIB];
      new Random(3).nextBytes(data);
      MemorySegment memory = FrontEndFixture.bytes(data);
      FrontEndFixture.Request before =
          disk.send(0, new FrontEndFixture.Request(Operation.WRITE, 0, data.length).buffer(memory));
      disk.lanes.get(0).context().call(() -> null);
      first.kill();
      FrontEndFixture.Request after =
          disk.send(
              1, new FrontEndFixture.Request(Operation.WRITE, 4 * MIB, data.length).buffer(memory));
      try (QemuStorageDaemon second = serve("num-queues=2")) {
        assertEquals(0, before.result.join());
        assertEquals(0, after.result.join());
        assertEquals(0, disk.run(0, Operation.FLUSH, 0, 0));
      }
      byte[] contents = Files.readAllBytes(image);
      assertArrayEquals(data, Arrays.copyOf(contents, data.length));
      assertArrayEquals(data, Arrays.copyOfRange(contents, 4 * MIB, 4 * MIB + data.length));
    }
  }

  @Test
  void failsWhatWaitsTooLongAndServesWhatComesLater() throws Exception {
    QemuStorageDaemon first =
        new QemuStorageDaemon(socket, NEVER_ENDING, "writable=on,num-queues=1");
    try (FrontEndFixture disk = open(",reconnect-delay=1", 1)) {
      FrontEndFixture.Request read = disk.send(0, request(Operation.READ, 4096));
      disk.lanes.get(0).context().call(() -> null);
      first.kill();
      assertEquals(-Errno.EIO, read.result.join());
      try (QemuStorageDaemon second = serve("num-queues=1")) {
        int result;
        do {
          result = disk.run(0, request(Operation.READ, 4096));
        } while (result == -Errno.EIO);
        assertEquals(0, result);
      }
    }
  }

  @Test
  void refusesToOpenWhatCannotServe() throws Exception {
    BlockException nobody = assertThrows(BlockException.class, () -> open("", 1));
    assertEquals(
        "Could not open '" + socket + "': ENOENT (No such file or directory)", nobody.getMessage());
    try (QemuStorageDaemon daemon =
        new QemuStorageDaemon(socket, "driver=null-co,size=1048576,read-only=on", "num-queues=1")) {
      String intro = "Could not use the vhost-user back end at '" + socket + "': ";
      BlockException readOnly = assertThrows(BlockException.class, () -> open("", 1));
      assertEquals(intro + "its disk is read-only: add read-only=on", readOnly.getMessage());
      BlockException queues =
          assertThrows(BlockException.class, () -> open(",read-only=on,num-queues=2", 1));
      assertEquals(intro + "'num-queues' is 2, but it has 1", queues.getMessage());
      try (FrontEndFixture disk = open(",read-only=on", 1)) {
        assertEquals(0, disk.run(0, request(Operation.READ, 4096)));
      }
    }
  }

  private static FrontEndFixture.Request request(Operation operation, int bytes) {
    return new FrontEndFixture.Request(operation, 0, bytes)
        .buffer(FrontEndFixture.bytes(new byte[bytes]));
  }

  /** Control work that returns nothing. */
  private static void control(FrontEndFixture disk, Runnable work) {
    disk.mainLoop.control(
        "test",
        () -> {
          work.run();
          return null;
        });
  }
}

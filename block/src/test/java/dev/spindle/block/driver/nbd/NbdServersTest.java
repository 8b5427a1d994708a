// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static dev.spindle.block.graph.BlockRequest.Operation.DISCARD;
import static dev.spindle.block.graph.BlockRequest.Operation.FLUSH;
import static dev.spindle.block.graph.BlockRequest.Operation.READ;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE_ZEROES;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.linux.Errno;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The client and servers that nobody here wrote. */
@Timeout(300)
class NbdServersTest {
  private static final int MIB = 1 << 20;
  private static final int SIZE = MIB;
  private static final ValueLayout.OfLong BIG_ENDIAN =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  @TempDir Path directory;

  private Path image(long size) throws Exception {
    return Disk.image(directory, size);
  }

  /** Each is a way in which servers differ; the image is what they serve. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "--no-sr",
        "--mask-handshake=0",
        "--mask-handshake=1",
        "--filter=multi-conn",
        "--filter=fua",
        "--filter=fua fuamode=emulate",
        "--filter=fua fuamode=native",
        "--filter=nozero zeromode=none",
        "--filter=noextents",
        "--filter=cache",
        "--filter=blocksize-policy blocksize-minimum=512 blocksize-error-policy=error",
        "--filter=blocksize-policy blocksize-minimum=4096 blocksize-preferred=4096"
            + " blocksize-maximum=8192 blocksize-error-policy=error",
        "--filter=exportname default-export=x",
      })
  void nbdkitKeepsWhatIsWritten(String options) throws Exception {
    Path image = image(SIZE);
    List<String> arguments = new ArrayList<>();
    List<String> settings = new ArrayList<>();
    for (String word : options.isEmpty() ? new String[0] : options.split(" ")) {
      (word.startsWith("--") ? arguments : settings).add(word);
    }
    arguments.addAll(List.of("file", image.toString()));
    arguments.addAll(settings);
    try (NbdPeer server = NbdPeer.nbdkit(directory, arguments.toArray(String[]::new))) {
      byte[] model;
      try (Disk disk = new Disk(server.node(",discard=unmap"))) {
        model = RandomRequests.run(disk, SIZE);
        assertEquals(0, disk.run(TestRequest.range(FLUSH, 0, 0)));
      }
      assertArrayEquals(model, Files.readAllBytes(image));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--shared=4", "--cache=none", "--discard=unmap"})
  void qemuNbdKeepsWhatIsWritten(String option) throws Exception {
    Path image = image(SIZE);
    String[] options = option.isEmpty() ? new String[0] : new String[] {option};
    try (NbdPeer server = NbdPeer.qemuNbd(directory, image, options)) {
      byte[] model;
      try (Disk disk = new Disk(server.node(",discard=unmap"))) {
        model = RandomRequests.run(disk, SIZE);
      }
      assertArrayEquals(model, Files.readAllBytes(image));
    }
  }

  @Test
  void storageDaemonKeepsWhatIsWritten() throws Exception {
    Path image = image(SIZE);
    try (NbdPeer server = NbdPeer.storageDaemon(directory, image)) {
      byte[] model;
      try (Disk disk = new Disk(server.node(",export=disk"))) {
        model = RandomRequests.run(disk, SIZE);
      }
      assertArrayEquals(model, Files.readAllBytes(image));
    }
  }

  @Test
  void serverOnAPortOfTcp() throws Exception {
    Path image = image(SIZE);
    int port;
    try (var free = new java.net.ServerSocket(0)) {
      port = free.getLocalPort();
    }
    try (NbdPeer server = NbdPeer.tcp(directory, port, "file", image.toString());
        Disk disk =
            new Disk(
                "driver=nbd,node-name=disk,open-timeout=60,"
                    + "server.type=inet,server.host=localhost,server.port="
                    + port)) {
      byte[] model = RandomRequests.run(disk, SIZE);
      assertArrayEquals(model, Files.readAllBytes(image));
    }
  }

  /** The pattern is what nbdkit says: each 8 bytes are their own offset. */
  @ParameterizedTest
  @ValueSource(strings = {"4096", "131072", "41943040"})
  void readsFarAndWide(int bytes) throws Exception {
    try (NbdPeer server = NbdPeer.nbdkit(directory, "-r", "pattern", "7E");
        Disk disk = new Disk(server.node(",read-only=on"));
        Arena arena = Arena.ofShared()) {
      long far = (1L << 62) + 8192;
      List<TestRequest> requests = new ArrayList<>();
      List<MemorySegment> buffers = new ArrayList<>();
      for (int i = 0; i < 64 && (long) i * bytes < 128 * MIB; i++) {
        MemorySegment buffer = arena.allocate(bytes, 4096);
        buffers.add(buffer);
        long half = bytes / 2;
        requests.add(
            TestRequest.transfer(
                READ, far + (long) i * bytes, buffer.asSlice(0, half), buffer.asSlice(half)));
      }
      disk.lane().context().execute(() -> requests.forEach(disk.lane()::submit));
      for (int i = 0; i < requests.size(); i++) {
        assertEquals(0, requests.get(i).result.join());
        for (long at = 0; at < bytes; at += 8) {
          long expected = far + (long) i * bytes + at;
          if (buffers.get(i).get(BIG_ENDIAN, at) != expected) {
            throw new AssertionError("wrong bytes at " + expected);
          }
        }
      }
    }
  }

  /** More than a request may carry, or a header of 32 bits can say. */
  @ParameterizedTest
  @ValueSource(strings = {"", "--filter=nozero"})
  void cutsWhatIsTooLong(String filter) throws Exception {
    String[] arguments =
        filter.isEmpty()
            ? new String[] {"memory", "6G"}
            : new String[] {filter, "memory", "6G", "zeromode=emulate"};
    try (NbdPeer server = NbdPeer.nbdkit(directory, arguments);
        Disk disk = new Disk(server.node(",discard=unmap"));
        Arena arena = Arena.ofShared()) {
      long length = 40L * MIB;
      MemorySegment data = arena.allocate(length, 4096);
      for (long at = 0; at < length; at += 8) {
        data.set(BIG_ENDIAN, at, at * 31);
      }
      assertEquals(0, disk.run(TestRequest.transfer(WRITE, 12345 * 512, data)));
      MemorySegment read = arena.allocate(length, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 12345 * 512, read)));
      assertEquals(-1, data.mismatch(read));
      TestRequest zeroes = TestRequest.range(WRITE_ZEROES, 0, 6L << 30);
      zeroes.mayUnmap = true;
      assertEquals(0, disk.run(zeroes));
      assertEquals(0, disk.run(TestRequest.range(DISCARD, 0, 6L << 30)));
      assertEquals(0, disk.run(TestRequest.transfer(READ, 12345 * 512, read)));
      assertEquals(-1, read.mismatch(arena.allocate(length)));
    }
  }

  @Test
  void lastSectorMayBeOneInPart() throws Exception {
    Path image = image(1000);
    Files.write(image, bytes(1000, 7));
    try (NbdPeer server = NbdPeer.nbdkit(directory, "file", image.toString());
        Disk disk = new Disk(server.node(""));
        Arena arena = Arena.ofShared()) {
      assertEquals(1024, disk.node.length());
      MemorySegment buffer = arena.allocate(1024).fill((byte) 0x55);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
      byte[] expected = new byte[1024];
      System.arraycopy(bytes(1000, 7), 0, expected, 0, 1000);
      assertArrayEquals(expected, buffer.toArray(ValueLayout.JAVA_BYTE));
      assertEquals(-Errno.ENOSPC, disk.run(TestRequest.transfer(WRITE, 0, buffer)));
      assertEquals(0, disk.run(TestRequest.transfer(WRITE, 0, buffer.asSlice(0, 512))));
      assertEquals(1000, Files.size(image));
    }
  }

  /** A write of one half of a block reads and writes the whole block, around the zeroes too. */
  @Test
  void writesOfPartsOfABlockDoNotUndoEachOther() throws Exception {
    try (NbdPeer server =
            NbdPeer.nbdkit(
                directory,
                "--filter=blocksize-policy",
                "memory",
                "1M",
                "blocksize-minimum=4096",
                "blocksize-error-policy=error");
        Disk disk = new Disk(server.node(""));
        Arena arena = Arena.ofShared()) {
      assertEquals(4096, disk.node.limits().requestAlignment());
      MemorySegment ones = arena.allocate(4096).fill((byte) 1);
      byte[] expected = new byte[4096];
      java.util.Arrays.fill(expected, 2048, 4096, (byte) 2);
      for (int round = 0; round < 200; round++) {
        assertEquals(0, disk.run(TestRequest.transfer(WRITE, 0, ones)));
        MemorySegment twos = arena.allocate(2048).fill((byte) 2);
        TestRequest write = TestRequest.transfer(WRITE, 2048, twos);
        TestRequest zeroes = TestRequest.range(WRITE_ZEROES, 0, 2048);
        disk.lane()
            .context()
            .execute(
                () -> {
                  disk.lane().submit(write);
                  disk.lane().submit(zeroes);
                });
        assertEquals(0, write.result.join());
        assertEquals(0, zeroes.result.join());
        MemorySegment read = arena.allocate(4096);
        assertEquals(0, disk.run(TestRequest.transfer(READ, 0, read)));
        assertArrayEquals(expected, read.toArray(ValueLayout.JAVA_BYTE), "round " + round);
      }
    }
  }

  @Test
  void tellsHolesFromData() throws Exception {
    Path image = image(8 * MIB);
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.seek(2 * MIB);
      file.write(bytes(MIB, 5));
    }
    for (boolean qemu : new boolean[] {false, true}) {
      try (NbdPeer server =
              qemu
                  ? NbdPeer.qemuNbd(directory, image)
                  : NbdPeer.nbdkit(directory, "file", image.toString());
          Disk disk = new Disk(server.node(""))) {
        assertEquals(new BlockStatus(2 * MIB, false, true, 1), status(disk, 0, 8 * MIB));
        assertEquals(new BlockStatus(MIB, true, false, 1), status(disk, 2 * MIB, 6 * MIB));
        assertEquals(new BlockStatus(512, true, false, 1), status(disk, 3 * MIB - 512, MIB));
        assertEquals(new BlockStatus(4096, false, true, 1), status(disk, 5 * MIB, 4096));
      }
    }
  }

  @Test
  void aServerThatKnowsNothingOfHolesHasData() throws Exception {
    try (NbdPeer server = NbdPeer.nbdkit(directory, "--no-sr", "memory", "1M");
        Disk disk = new Disk(server.node(""))) {
      assertEquals(BlockStatus.allData(MIB), status(disk, 0, MIB));
    }
  }

  private static BlockStatus status(Disk disk, long offset, long length) {
    CompletableFuture<BlockStatus> status = new CompletableFuture<>();
    disk.lane()
        .context()
        .startVirtual(
            "status",
            () -> {
              try {
                status.complete(disk.lane().blockStatus(offset, length));
              } catch (RuntimeException | Error e) {
                status.completeExceptionally(e);
              }
            });
    return status.join();
  }

  @Test
  void discardsReachTheServerOnlyWhenAsked() throws Exception {
    Path image = image(0);
    for (String discard : new String[] {"ignore", "unmap"}) {
      Files.write(image, bytes(MIB, 9));
      try (NbdPeer server = NbdPeer.nbdkit(directory, "file", image.toString());
          Disk disk = new Disk(server.node(",discard=" + discard))) {
        assertEquals(0, disk.run(TestRequest.range(DISCARD, 0, MIB)));
        assertEquals(
            discard.equals("unmap"),
            status(disk, 0, MIB).equals(new BlockStatus(MIB, false, true, 1)));
      }
    }
  }

  @Test
  void errorsOfTheServerReachTheUserAndNothingElseHappens() throws Exception {
    try (NbdPeer server =
            NbdPeer.nbdkit(
                directory,
                "--filter=error",
                "memory",
                "1M",
                "error-pwrite=ENOSPC",
                "error-pwrite-rate=100%",
                "error-pread=EIO",
                "error-pread-rate=100%",
                "error-zero=EPERM",
                "error-zero-rate=100%");
        Disk disk = new Disk(server.node(""));
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(4096);
      for (int i = 0; i < 3; i++) {
        assertEquals(-Errno.ENOSPC, disk.run(TestRequest.transfer(WRITE, 0, buffer)));
        assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, 0, buffer)));
        assertEquals(-Errno.EPERM, disk.run(TestRequest.range(WRITE_ZEROES, 0, 4096)));
        assertEquals(0, disk.run(TestRequest.range(FLUSH, 0, 0)));
      }
    }
  }

  /** Answers come in any order, and each finds its request. */
  @Test
  void answersOutOfOrder() throws Exception {
    try (NbdPeer server =
            NbdPeer.nbdkit(
                directory,
                "--filter=delay",
                "--filter=error",
                "pattern",
                "1G",
                "delay-read=5ms",
                "error-pread=EIO",
                "error-pread-rate=50%");
        Disk disk = new Disk(server.node(",read-only=on"));
        Arena arena = Arena.ofShared()) {
      List<TestRequest> requests = new ArrayList<>();
      List<MemorySegment> buffers = new ArrayList<>();
      for (int i = 0; i < 400; i++) {
        MemorySegment buffer = arena.allocate(512L * (1 + i % 9));
        buffers.add(buffer);
        requests.add(TestRequest.transfer(READ, i * 8192L, buffer));
      }
      disk.lane().context().execute(() -> requests.forEach(disk.lane()::submit));
      int failed = 0;
      for (int i = 0; i < requests.size(); i++) {
        int result = requests.get(i).result.join();
        if (result == 0) {
          assertEquals(i * 8192L, buffers.get(i).get(BIG_ENDIAN, 0));
        } else {
          assertEquals(-Errno.EIO, result);
          failed++;
        }
      }
      assertTrue(failed > 100 && failed < 300, failed + " of 400 failed");
    }
  }

  /** What is only to be near later does not come over the network now. */
  @ParameterizedTest
  @ValueSource(strings = {"native", "none"})
  void whatIsOnlyToBeFetchedStaysThere(String mode) throws Exception {
    Path log = directory.resolve("log");
    try (NbdPeer server =
            NbdPeer.nbdkit(
                directory,
                "--filter=log",
                "--filter=nocache",
                "file",
                image(SIZE).toString(),
                "cachemode=" + (mode.equals("native") ? "nop" : "none"),
                "logfile=" + log);
        Disk disk = new Disk(server.node(",read-only=on"));
        Arena arena = Arena.ofShared()) {
      TestRequest fetch = TestRequest.transfer(READ, 8192, arena.allocate(4096));
      fetch.onlyFetch = true;
      assertEquals(0, disk.run(fetch));
      assertEquals(0, disk.run(TestRequest.transfer(READ, 65536, arena.allocate(4096))));
    }
    String said = Files.readString(log);
    assertEquals(mode.equals("native"), said.contains(" Cache id=1 offset=0x2000 count=0x1000"));
    assertTrue(said.contains(" Read id="), said);
    assertTrue(!said.contains(" Read id=1 offset=0x2000"), said);
  }

  private static byte[] bytes(int count, int value) {
    byte[] bytes = new byte[count];
    java.util.Arrays.fill(bytes, (byte) value);
    return bytes;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Long requests that are not aligned: they go through a small buffer, piece by piece. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class UnalignedPiecesTest {
  private static final int PIECE = 1 << 20;
  private static final int PAGE = 4096;
  private static final int SIZE = 5 * PIECE;

  private Path image;

  @BeforeEach
  void makeImage() throws Exception {
    // Not in /tmp: a tmpfs there might not take O_DIRECT.
    image = Files.createTempFile(Path.of("target"), "pieces", ".raw");
    image.toFile().deleteOnExit();
  }

  private Disk open() throws Exception {
    return new Disk("driver=file,node-name=disk,cache.direct=on,filename=" + image);
  }

  private static byte[] random(long seed, int length) {
    byte[] data = new byte[length];
    new Random(seed).nextBytes(data);
    return data;
  }

  /** At, before and after where one piece ends and the next one begins. */
  @Test
  void areThoseOfAnArrayOfBytes() throws Exception {
    byte[] model = random(1, SIZE);
    Files.write(image, model);
    Random random = new Random(2);
    try (Disk disk = open();
        Arena arena = Arena.ofShared()) {
      for (int round = 0; round < 40; round++) {
        int length = PIECE * (1 + random.nextInt(3)) + random.nextInt(5) - 2;
        int offset = 512 * random.nextInt((SIZE - length) / 512) + random.nextInt(3);
        MemorySegment memory = arena.allocate(length + 1L, 4096).asSlice(random.nextInt(2), length);
        if (random.nextBoolean()) {
          byte[] data = random(round, length);
          MemorySegment.copy(data, 0, memory, ValueLayout.JAVA_BYTE, 0, length);
          TestRequest write = TestRequest.transfer(Operation.WRITE, offset, memory);
          write.forceUnitAccess = random.nextBoolean();
          assertEquals(0, disk.run(write));
          System.arraycopy(data, 0, model, offset, length);
        } else {
          assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, offset, memory)));
          assertArrayEquals(
              Arrays.copyOfRange(model, offset, offset + length),
              memory.toArray(ValueLayout.JAVA_BYTE));
        }
      }
    }
    assertArrayEquals(model, Files.readAllBytes(image));
  }

  /** What is left in the buffer from the piece before does not come after the file's end. */
  @ParameterizedTest
  @ValueSource(ints = {PIECE + 1000, 2 * PIECE, 2 * PIECE + 100})
  void whatLiesPastTheEndReadsAsZeroes(int length) throws Exception {
    byte[] data = random(3, length);
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(SIZE);
    }
    try (Disk disk = open();
        Arena arena = Arena.ofShared()) {
      Files.write(image, data);
      MemorySegment memory = arena.allocate(SIZE, 4096).asSlice(1);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 1, memory)));
      byte[] expected = Arrays.copyOfRange(data, 1, SIZE);
      assertArrayEquals(expected, memory.toArray(ValueLayout.JAVA_BYTE));
    }
  }

  /** Looks while the request waits for its first piece. */
  @ParameterizedTest
  @EnumSource(
      value = Operation.class,
      names = {"READ", "WRITE"})
  void takeLittleMemory(Operation operation) throws Exception {
    int length = 64 * PIECE;
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(length);
    }
    try (Disk disk = open();
        Arena arena = Arena.ofShared()) {
      MemorySegment part = arena.allocate(8L * PIECE, 4096).asSlice(0, 8L * PIECE - 1);
      MemorySegment[] parts = new MemorySegment[8];
      Arrays.fill(parts, part);
      TestRequest request = TestRequest.transfer(operation, 1, parts);
      AioContext context = disk.lane().context();
      CompletableFuture<Long> taken = new CompletableFuture<>();
      context.execute(
          () -> {
            long before = residentPages();
            disk.lane().submit(request);
            // Comes after the request's own thread has begun.
            context.execute(() -> taken.complete(residentPages() - before));
          });
      assertTrue(taken.join() < length / 2 / PAGE, () -> taken.join() + " pages");
      assertEquals(0, request.result.join());
    }
  }

  /** Of the whole process, which does little else. */
  private static long residentPages() {
    try {
      return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", 3)[1]);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The kernel lets no file grow past a limit, which lies in the middle of the request. */
  @Test
  void whatFailsInTheMiddleFails() throws Exception {
    long limit = 1L << 36;
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(limit + SIZE);
    }
    long offset = limit - 3 * PIECE / 2 + 1;
    try (Disk disk = open();
        Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(4L * PIECE, 4096).fill((byte) 7);
      TestRequest write = TestRequest.transfer(Operation.WRITE, offset, memory);
      limitFiles(limit + ":");
      try {
        assertEquals(-Errno.EFBIG, disk.run(write));
      } finally {
        limitFiles("unlimited:");
      }
      MemorySegment after = arena.allocate(2 * PIECE, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, limit, after)));
      assertEquals(-1, after.mismatch(arena.allocate(2 * PIECE)), "pieces after it were written");
      assertEquals(0, disk.run(TestRequest.transfer(Operation.WRITE, offset, memory)));
    }
  }

  /** Lowers or raises the soft limit of this process. */
  private static void limitFiles(String fsize) throws Exception {
    String self = Long.toString(ProcessHandle.current().pid());
    assertEquals(
        0, new ProcessBuilder("prlimit", "--pid", self, "--fsize=" + fsize).start().waitFor());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whenever the power goes, and whatever is left of what was not flushed: the image opens, can be
 * written, and shows what was flushed wherever nothing was written since.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CrashedImagesTest {
  private static final int SIZE = 6 << 20;
  private static final int SECTOR = 512;
  private static final int REQUESTS = 24;

  @TempDir private Path folder;
  private TestGraph test;
  private ImageKind kind;

  /** What a reader must see from some step on, until the next such time. */
  private record Flushed(int step, byte[] contents) {}

  /** Sectors that were written, and the steps after which that began. */
  private record Written(int step, int first, int end) {}

  private final List<Flushed> flushes = new ArrayList<>();
  private final List<Written> writes = new ArrayList<>();

  @BeforeEach
  void start() throws Exception {
    test = new TestGraph();
  }

  @AfterEach
  void stop() throws Exception {
    test.close();
  }

  static List<ImageKind> kinds() {
    return List.of(
        ImageKind.VDI, ImageKind.VPC, ImageKind.VMDK, ImageKind.VHDX_SMALL, ImageKind.PARALLELS);
  }

  /** An image over a file in memory, in use. */
  private final class Opened implements AutoCloseable {
    private final RecordedNode file;
    private final BlockBackend backend;
    private final BackendLane lane;

    Opened(byte[] contents) throws Exception {
      file =
          test.get(() -> test.graph.add(new RecordedNode("f", test.mainLoop.context(), contents)));
      BlockNode node = test.open("driver=" + kind.format() + ",node-name=disk,file=f");
      backend = test.use(node, "u");
      lane = test.lane(backend, test.io0);
    }

    private void run(TestRequest request) {
      assertEquals(0, TestGraph.send(lane, request).result.join());
    }

    void write(byte[] model, int offset, int length, Random random) {
      byte[] data = new byte[length];
      random.nextBytes(data);
      try (Arena arena = Arena.ofShared()) {
        MemorySegment buffer = arena.allocate(length, 4096).copyFrom(MemorySegment.ofArray(data));
        run(TestRequest.transfer(Operation.WRITE, offset, buffer));
      }
      System.arraycopy(data, 0, model, offset, length);
    }

    byte[] read() {
      try (Arena arena = Arena.ofShared()) {
        MemorySegment buffer = arena.allocate(SIZE, 4096);
        run(TestRequest.transfer(Operation.READ, 0, buffer));
        return buffer.toArray(ValueLayout.JAVA_BYTE);
      }
    }

    @Override
    public void close() throws Exception {
      test.closeLane(lane);
      test.control(backend::close);
      test.control(test.graph::closeAll);
    }
  }

  /** Writes at random, and flushes now and then; returns the file that has seen it. */
  private RecordedNode record(byte[] contents, Random random) throws Exception {
    byte[] model = new byte[SIZE];
    try (Opened image = new Opened(contents)) {
      flushes.add(new Flushed(0, model.clone()));
      for (int i = 0; i < REQUESTS; i++) {
        if (random.nextInt(4) == 0) {
          image.run(TestRequest.range(Operation.FLUSH, 0, 0));
          flushes.add(new Flushed(image.file.steps(), model.clone()));
        } else {
          int sectors = 1 + random.nextInt(40);
          int first = random.nextInt(SIZE / SECTOR - sectors);
          writes.add(new Written(image.file.steps(), first, first + sectors));
          image.write(model, first * SECTOR, sectors * SECTOR, random);
        }
      }
      return image.file;
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void whatWasFlushedIsThere(ImageKind which) throws Exception {
    kind = which;
    Path made = folder.resolve("image");
    List<Object> create = new ArrayList<>(List.of("qemu-img", "create", "-q", "-f", kind.format()));
    if (!kind.options().isEmpty()) {
      create.addAll(List.of("-o", kind.options()));
    }
    create.addAll(List.of(made, SIZE));
    QemuImg.run(create.toArray());
    Random random = new Random(31);
    RecordedNode file = record(Files.readAllBytes(made), random);
    int steps = file.steps();
    assertTrue(steps > REQUESTS, steps + " steps");
    for (int step = 0; step <= steps; step++) {
      look(file.after(step, null), step, random);
      look(file.after(step, random), step, random);
    }
  }

  private void look(byte[] left, int step, Random random) throws Exception {
    Flushed flushed = flushes.getFirst();
    for (Flushed one : flushes) {
      flushed = one.step() <= step ? one : flushed;
    }
    BitSet unknown = new BitSet();
    for (Written write : writes) {
      if (write.step() >= flushed.step() && write.step() < step) {
        unknown.set(write.first(), write.end());
      }
    }
    try (Opened image = new Opened(left)) {
      byte[] seen = image.read();
      compare(flushed.contents(), seen, unknown, step);
      byte[] model = seen.clone();
      // New room must not be somebody else's.
      for (int offset = 100 * SECTOR; offset < SIZE; offset += 1 << 20) {
        image.write(model, offset, SECTOR, random);
      }
      compare(model, image.read(), new BitSet(), step);
    }
  }

  private void compare(byte[] expected, byte[] seen, BitSet unknown, int step) {
    MemorySegment one = MemorySegment.ofArray(expected);
    MemorySegment other = MemorySegment.ofArray(seen);
    for (int sector = 0; sector < SIZE / SECTOR; sector++) {
      long from = (long) sector * SECTOR;
      long to = from + SECTOR;
      boolean same =
          unknown.get(sector) || MemorySegment.mismatch(one, from, to, other, from, to) < 0;
      int number = sector;
      assertTrue(same, () -> kind + ": sector " + number + " after step " + step);
    }
  }
}

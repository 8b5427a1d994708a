// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.graph.TestGraph.User;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Writes of parts of blocks among writes of whole ones, from two iothreads at once: each byte ends
 * as one of those wanted it who wrote it, and never as it was before.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BlockWritesTest {
  private static final int BLOCKS = 8;
  private static final int ROUNDS = 400;
  private static final int AT_ONCE = 6;

  private final Random random = new Random(20);

  /** A write, and the value that it wants everywhere in its range. */
  private record Write(TestRequest request, byte value) {}

  @ParameterizedTest
  @ValueSource(ints = {512, 4096})
  void nobodyBringsBackWhatAnotherHasOverwritten(int alignment) throws Exception {
    Path image = Files.createTempFile(Path.of("target"), "block-writes", ".raw");
    image.toFile().deleteOnExit();
    Files.write(image, new byte[64 << 10]);
    OpenImage open =
        OpenImage.open(FileOptions.from(Disk.options("filename=" + image + ",cache.direct=on")));
    int block = Math.max(alignment, open.limits().requestAlignment());
    BlockLimits limits = new BlockLimits(block, open.limits().memoryAlignment());
    try (TestGraph test = new TestGraph();
        Arena arena = Arena.ofShared()) {
      FileNode node =
          new FileNode(
              "disk",
              test.mainLoop.context(),
              new OpenImage(
                  open.file(), open.options(), open.length(), limits, limits.requestAlignment()));
      test.graph.add(node);
      BlockBackend backend =
          test.get(
              () -> new BlockBackend(node, new User("u"), TestGraph.READ_WRITE, TestGraph.READ));
      List<BackendLane> lanes = List.of(test.lane(backend, test.io0), test.lane(backend, test.io1));
      byte[] before = new byte[BLOCKS * block];
      for (int round = 0; round < ROUNDS; round++) {
        List<Write> writes = new ArrayList<>();
        for (int i = 0; i < AT_ONCE; i++) {
          writes.add(write(arena, block, (byte) (1 + (round * AT_ONCE + i) % 127)));
        }
        for (Write write : writes) {
          BackendLane lane = lanes.get(random.nextInt(2));
          lane.context().execute(() -> lane.submit(write.request()));
        }
        for (Write write : writes) {
          assertEquals(0, write.request().result.join());
        }
        before = check(lanes.getFirst(), arena, before, writes, round);
      }
      lanes.forEach(test::closeLane);
      test.control(
          () -> {
            backend.close();
            test.graph.closeAll();
          });
    }
  }

  private Write write(Arena arena, int block, byte value) {
    boolean whole = random.nextBoolean();
    int unit = whole ? block : 1;
    int length = unit * (1 + random.nextInt(whole ? 2 : 2 * block));
    int offset = unit * random.nextInt((BLOCKS * block - length) / unit + 1);
    if (random.nextInt(4) == 0) {
      return new Write(TestRequest.range(Operation.WRITE_ZEROES, offset, length), (byte) 0);
    }
    MemorySegment data = arena.allocate(length, 4096).fill(value);
    return new Write(TestRequest.transfer(Operation.WRITE, offset, data), value);
  }

  /** Returns what is there now. */
  private static byte[] check(
      BackendLane lane, Arena arena, byte[] before, List<Write> writes, int round) {
    MemorySegment buffer = arena.allocate(before.length, 4096);
    TestRequest read = TestRequest.transfer(Operation.READ, 0, buffer);
    TestGraph.send(lane, read);
    assertEquals(0, read.result.join());
    byte[] now = buffer.toArray(ValueLayout.JAVA_BYTE);
    for (int i = 0; i < now.length; i++) {
      int place = i;
      List<Byte> wanted =
          writes.stream()
              .filter(
                  write ->
                      write.request().offset <= place
                          && place < write.request().offset + write.request().length)
              .map(Write::value)
              .toList();
      boolean right = wanted.isEmpty() ? now[i] == before[i] : wanted.contains(now[i]);
      int found = now[i];
      assertTrue(
          right,
          () ->
              "round %d: byte %d is %d, wanted %s, was %d"
                  .formatted(round, place, found, wanted, before[place]));
    }
    return now;
  }
}

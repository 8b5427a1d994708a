// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.TestGraph;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An image that two contexts write to, while sections come and go and the node moves. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BusyNodeTest {
  private static final int SIZE = 6 << 20;
  private static final int SECTORS = SIZE / 512;

  @TempDir private Path folder;
  private TestGraph test;
  private Path file;

  @BeforeEach
  void start() throws Exception {
    test = new TestGraph();
    file = folder.resolve("image.qcow2");
  }

  @AfterEach
  void stop() throws Exception {
    test.close();
  }

  private BlockNode open(String more) throws Exception {
    return test.open(
        "driver=qcow2,node-name=disk,discard=unmap,file.driver=file,file.node-name=f,file.filename="
            + file
            + more);
  }

  /** Each lane has sectors of its own, in clusters that both share. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=65536",
        "cluster_size=4096",
        "cluster_size=65536,extended_l2=on",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=65536,backing_fmt=raw,backing_file=base.raw"
      })
  void contextsWriteTogether(String options) throws Exception {
    byte[] model = new byte[SIZE];
    if (options.contains("backing")) {
      Arrays.fill(model, (byte) 55);
      Files.write(folder.resolve("base.raw"), model);
    }
    QemuImg.create(file, options, SIZE);
    BlockNode node = open(",l2-cache-size=64k");
    BlockBackend backend = test.use(node, "u");
    List<BackendLane> lanes = new ArrayList<>();
    for (IoThread thread : List.of(test.io0, test.io1)) {
      lanes.add(test.lane(backend, thread));
    }
    Random random = new Random(8);
    try (Arena arena = Arena.ofShared()) {
      for (int round = 0; round < 40; round++) {
        List<TestRequest> sent = new ArrayList<>();
        for (int at = random.nextInt(200); at < SECTORS; ) {
          int count = 1 + random.nextInt(random.nextInt(8) == 0 ? 300 : 6);
          count = Math.min(count, SECTORS - at);
          TestRequest request = request(arena, model, at * 512, count * 512, random);
          sent.add(TestGraph.send(lanes.get(random.nextInt(2)), request));
          at += count + (random.nextInt(4) == 0 ? 0 : random.nextInt(SECTORS / 30));
        }
        disturb(node, round, random);
        for (TestRequest request : sent) {
          assertEquals(0, request.result.join());
        }
      }
    }
    assertArrayEquals(model, TestGraph.read(lanes.getFirst(), SIZE));
    lanes.forEach(test::closeLane);
    test.control(backend::close);
    test.control(test.graph::closeAll);
    QemuImg.check(file);
    assertArrayEquals(model, QemuImg.contents(file));
  }

  private static TestRequest request(
      Arena arena, byte[] model, int offset, int length, Random random) {
    if (random.nextInt(6) == 0) {
      TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, offset, length);
      zeroes.mayUnmap = random.nextBoolean();
      Arrays.fill(model, offset, offset + length, (byte) 0);
      return zeroes;
    }
    if (random.nextInt(8) == 0) {
      return TestRequest.range(Operation.FLUSH, 0, 0);
    }
    byte value = (byte) (1 + random.nextInt(100));
    Arrays.fill(model, offset, offset + length, value);
    return TestRequest.transfer(Operation.WRITE, offset, arena.allocate(length, 512).fill(value));
  }

  private void disturb(BlockNode node, int round, Random random) throws Exception {
    if (round % 3 == 0) {
      test.control(() -> DrainedSection.begin(List.of(node)).close());
    }
    if (round % 4 == 0) {
      IoThread target = random.nextBoolean() ? test.io0 : test.io1;
      test.control(() -> ContextChange.run(node, target.context()));
    }
  }

  @Test
  void reopeningTakesWritesAwayAndGivesThemBack() throws Exception {
    QemuImg.create(file, "", SIZE);
    test.open("driver=file,node-name=f,filename=" + file);
    String options = "driver=qcow2,node-name=disk,file=f,discard=unmap";
    BlockNode node = test.open(options);
    BlockBackend backend = test.use(node, "u");
    BackendLane lane = test.lane(backend, test.io0);
    try (Arena arena = Arena.ofShared()) {
      MemorySegment data = arena.allocate(1 << 20, 4096).fill((byte) 7);
      assertEquals(0, TestGraph.run(lane, TestRequest.transfer(Operation.WRITE, 0, data)));
      assertEquals(0, TestGraph.run(lane, TestRequest.range(Operation.DISCARD, 0, 1 << 19)));
      test.closeLane(lane);
      test.control(backend::close);
      test.reopen(
          options + ",read-only=on", "driver=file,node-name=f,read-only=on,filename=" + file);
      assertTrue(node.readOnly());
      // All of it is in the file, which nobody has closed.
      QemuTool.run("qemu-img", "check", "-U", "-q", "-f", "qcow2", file.toString());
      test.reopen(options, "driver=file,node-name=f,filename=" + file);
      assertFalse(node.readOnly());
      backend = test.use(node, "u");
      lane = test.lane(backend, test.io1);
      assertEquals(0, TestGraph.run(lane, TestRequest.transfer(Operation.WRITE, 1 << 20, data)));
      test.closeLane(lane);
      test.control(backend::close);
    }
    test.control(test.graph::closeAll);
    QemuImg.check(file);
    byte[] expected = new byte[SIZE];
    Arrays.fill(expected, 1 << 19, 2 << 20, (byte) 7);
    assertArrayEquals(expected, QemuImg.contents(file));
  }

  @Test
  void reopeningChangesTheBackingFile() throws Exception {
    QemuImg.create(folder.resolve("base.qcow2"), "", SIZE);
    QemuImg.create(file, "backing_fmt=qcow2,backing_file=base.qcow2", SIZE);
    byte[] second = new byte[SIZE / 2];
    Arrays.fill(second, (byte) 2);
    Path raw = Files.write(folder.resolve("second"), second);
    test.open("driver=file,node-name=second,read-only=on,filename=" + raw);
    test.open("driver=file,node-name=f,filename=" + file);
    String options = "driver=qcow2,node-name=disk,file=f";
    BackendLane lane = test.lane(test.use(test.open(options), "u"), test.io0);
    assertArrayEquals(new byte[SIZE], TestGraph.read(lane, SIZE));
    test.reopen(options + ",backing=second");
    assertArrayEquals(Arrays.copyOf(second, SIZE), TestGraph.read(lane, SIZE));
    test.reopen(options + ",backing=");
    assertArrayEquals(new byte[SIZE], TestGraph.read(lane, SIZE));
  }
}

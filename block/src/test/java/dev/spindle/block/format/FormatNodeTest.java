// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.TestGraph;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A format's node among others: reopening, sections, requests from several contexts. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FormatNodeTest {
  private static final int SIZE = 4 << 20;
  private static final long IN_USE = 0x746f6e59L;

  @TempDir private Path folder;
  private TestGraph test;
  private Path image;

  @BeforeEach
  void start() throws Exception {
    test = new TestGraph();
    image = folder.resolve("image");
  }

  @AfterEach
  void stop() throws Exception {
    test.close();
  }

  private long inUse() throws Exception {
    return ByteBuffer.wrap(Files.readAllBytes(image)).order(ByteOrder.LITTLE_ENDIAN).getInt(44);
  }

  @Test
  void reopeningLeavesAnImageAsItShouldBe() throws Exception {
    QemuImg.run("qemu-img", "create", "-q", "-f", "parallels", image, SIZE);
    String options = "driver=parallels,node-name=disk,file=f";
    test.open("driver=file,node-name=f,filename=" + image);
    BlockNode node = test.open(options);
    BlockBackend backend = test.use(node, "u");
    BackendLane lane = test.lane(backend, test.io0);
    assertEquals(0, inUse(), "it is marked before anything is written");
    TestRequest write = TestRequest.range(Operation.WRITE_ZEROES, 0, 512);
    assertEquals(0, TestGraph.run(lane, write));
    assertEquals(IN_USE, inUse());
    test.closeLane(lane);
    test.control(backend::close);
    test.reopen(options + ",read-only=on");
    assertEquals(0, inUse());
    assertTrue(node.readOnly());
    test.reopen(options);
    assertFalse(node.readOnly());
    backend = test.use(node, "u");
    lane = test.lane(backend, test.io1);
    assertEquals(0, TestGraph.run(lane, TestRequest.range(Operation.WRITE_ZEROES, 0, 512)));
    assertEquals(IN_USE, inUse());
    test.closeLane(lane);
    test.control(backend::close);
    test.control(test.graph::closeAll);
    assertEquals(0, inUse());
    QemuImg.run("qemu-img", "check", "-q", "-f", "parallels", image);
  }

  @Test
  void reopeningChangesTheBackingFile() throws Exception {
    byte[] first = new byte[SIZE];
    byte[] second = new byte[SIZE / 2];
    Arrays.fill(first, (byte) 1);
    Arrays.fill(second, (byte) 2);
    QemuImg.run("qemu-img", "create", "-q", "-f", "vmdk", folder.resolve("base.vmdk"), SIZE);
    Path base = folder.resolve("base.vmdk");
    QemuImg.run("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", base, image);
    for (String name : List.of("first", "second")) {
      Path raw = Files.write(folder.resolve(name), name.equals("first") ? first : second);
      test.open("driver=file,node-name=" + name + ",read-only=on,filename=" + raw);
    }
    test.open("driver=file,node-name=f,filename=" + image);
    String options = "driver=vmdk,node-name=disk,file=f,backing=";
    BlockNode node = test.open(options + "first");
    BackendLane lane = test.lane(test.use(node, "u"), test.io0);
    assertArrayEquals(first, TestGraph.read(lane, SIZE));
    test.reopen(options + "second");
    assertArrayEquals(Arrays.copyOf(second, SIZE), TestGraph.read(lane, SIZE));
    test.reopen(options);
    assertArrayEquals(new byte[SIZE], TestGraph.read(lane, SIZE));
    String refusal = test.reopenRefusal(options + "disk");
    assertTrue(refusal.contains("cycle"), refusal);
    test.reopen(options + "first");
    assertArrayEquals(first, TestGraph.read(lane, SIZE));
  }

  /** Sections come and go while two contexts write to clusters that have no room yet. */
  @Test
  void contextsAllocateTogether() throws Exception {
    QemuImg.run("qemu-img", "create", "-q", "-f", "vmdk", image, SIZE);
    BlockNode node =
        test.open("driver=vmdk,node-name=disk,file.driver=file,file.filename=" + image);
    BlockBackend backend = test.use(node, "u");
    List<BackendLane> lanes = new ArrayList<>();
    for (IoThread thread : List.of(test.io0, test.io1)) {
      lanes.add(test.lane(backend, thread));
    }
    byte[] model = new byte[SIZE];
    Random random = new Random(6);
    List<TestRequest> requests = new ArrayList<>();
    try (Arena arena = Arena.ofShared()) {
      // Sectors in a random order, so that clusters are met from all sides at once.
      List<Integer> places = new ArrayList<>();
      for (int at = 0; at < SIZE; at += 8192) {
        places.add(at);
      }
      Collections.shuffle(places, random);
      for (int i = 0; i < places.size(); i++) {
        byte value = (byte) (1 + random.nextInt(100));
        int at = places.get(i);
        MemorySegment data = arena.allocate(4096, 4096).fill(value);
        Arrays.fill(model, at, at + 4096, value);
        requests.add(
            TestGraph.send(lanes.get(i % 2), TestRequest.transfer(Operation.WRITE, at, data)));
        if (i % 50 == 0) {
          test.control(() -> DrainedSection.begin(List.of(node)).close());
        }
      }
      for (TestRequest request : requests) {
        assertEquals(0, request.result.join());
      }
      assertArrayEquals(model, TestGraph.read(lanes.getFirst(), SIZE));
    }
    lanes.forEach(test::closeLane);
    test.control(backend::close);
    test.control(test.graph::closeAll);
    QemuImg.run("qemu-img", "check", "-q", "-f", "vmdk", image);
    Path raw = folder.resolve("converted.raw");
    QemuImg.run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", image, raw);
    assertArrayEquals(model, Files.readAllBytes(raw));
  }
}

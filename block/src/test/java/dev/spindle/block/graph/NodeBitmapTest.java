// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What passes a node with dirty bitmaps, and what its bitmaps tell of that. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NodeBitmapTest extends GraphFixture {
  private static final int GRANULE = 512;

  private TestNode node;
  private BlockBackend backend;
  private BackendLane lane;

  @BeforeEach
  void start() throws Exception {
    node = test.node("node");
    backend = test.use(node, "u");
    lane = test.lane(backend, test.io0);
  }

  private DirtyBitmap add(BlockNode to, String name) throws Exception {
    return test.get(() -> to.bitmaps().add(name, OptionalLong.of(GRANULE)));
  }

  private static TestRequest request(Operation operation, long offset, int length) {
    return operation == Operation.READ || operation == Operation.WRITE
        ? TestRequest.transfer(operation, offset, Io.memory(length))
        : TestRequest.range(operation, offset, length);
  }

  private static int run(BackendLane way, Operation operation, long offset, int length) {
    return TestGraph.run(way, request(operation, offset, length));
  }

  private static List<DirtyArea> dirty(DirtyBitmap bitmap) {
    List<DirtyArea> areas = new ArrayList<>();
    bitmap.bits().dirtyAreas(Long.MAX_VALUE).forEach(areas::add);
    return areas;
  }

  @ParameterizedTest
  @EnumSource
  void whatChangesTheNodeIsMarkedAndNothingElse(Operation operation) throws Exception {
    DirtyBitmap bitmap = add(node, "b");
    assertEquals(0, run(lane, operation, 1024, 2000));
    boolean changes =
        switch (operation) {
          case READ, FLUSH -> false;
          case WRITE, WRITE_ZEROES, DISCARD -> true;
        };
    assertEquals(changes ? List.of(new DirtyArea(1024, 2048)) : List.of(), dirty(bitmap));
  }

  /** Marked before, it might be cleaned again before it is written. */
  @Test
  void isMarkedWhenItIsWrittenAndBeforeItsSenderHearsOfIt() throws Exception {
    DirtyBitmap bitmap = add(node, "b");
    node.keeps = true;
    TestRequest write = TestGraph.send(lane, request(Operation.WRITE, 0, 100));
    assertEquals(List.of(), dirty(bitmap));
    node.kept.remove().complete(0);
    write.result.join();
    assertEquals(List.of(new DirtyArea(0, GRANULE)), dirty(bitmap));
  }

  /** Nobody knows how much of it was written. */
  @Test
  void aWriteThatFailsIsMarkedToo() throws Exception {
    DirtyBitmap bitmap = add(node, "b");
    node.keeps = true;
    TestRequest write = TestGraph.send(lane, request(Operation.WRITE, 0, 100));
    node.kept.remove().complete(-Errno.EIO);
    assertEquals(-Errno.EIO, write.result.join());
    assertEquals(List.of(new DirtyArea(0, GRANULE)), dirty(bitmap));
  }

  @Test
  void theFirstBitmapWaitsForWhatIsBeingWritten() throws Exception {
    node.keeps = true;
    TestRequest write = TestGraph.send(lane, request(Operation.WRITE, 0, 100));
    var adding =
        test.mainLoop.start("add", () -> node.bitmaps().add("b", OptionalLong.of(GRANULE)));
    while (!node.events.contains("begin")) {
      Thread.onSpinWait();
    }
    assertFalse(adding.isDone());
    node.kept.remove().complete(0);
    write.result.join();
    assertEquals(List.of(), dirty(adding.join()));
  }

  @Test
  void requestsPassAsTheyAreWhereThereIsNoBitmap() throws Exception {
    node.keeps = true;
    TestRequest before = TestGraph.send(lane, request(Operation.WRITE, 0, 100));
    assertSame(before, node.kept.peek().request());
    node.kept.remove().complete(0);
    DirtyBitmap bitmap = add(node, "b");
    TestRequest marked = TestGraph.send(lane, request(Operation.WRITE, 0, 100));
    assertNotSame(marked, node.kept.peek().request());
    node.kept.remove().complete(0);
    marked.result.join();
    test.control(() -> node.bitmaps().remove(bitmap));
    TestRequest after = TestGraph.send(lane, request(Operation.WRITE, 0, 100));
    assertSame(after, node.kept.peek().request());
    node.kept.remove().complete(0);
    after.result.join();
    // Which ways the changes have left open, if any.
    assertEquals(1, node.openLanes.get());
  }

  @Test
  void aDisabledBitmapRecordsNothing() throws Exception {
    DirtyBitmap bitmap = add(node, "b");
    DirtyBitmap other = add(node, "other");
    test.control(() -> node.bitmaps().disable(bitmap));
    run(lane, Operation.WRITE, 0, 100);
    test.control(() -> node.bitmaps().enable(bitmap));
    run(lane, Operation.WRITE, 4096, 100);
    assertEquals(List.of(new DirtyArea(4096, GRANULE)), dirty(bitmap));
    assertEquals(2 * GRANULE, other.bits().dirtyBytes());
  }

  /** Each context marks what it wrote; none overwrites another's marks. */
  @Test
  void writesOfSeveralContextsAtOnceAreAllMarked() throws Exception {
    DirtyBitmap bitmap = add(node, "b");
    DirtyBitmap coarse =
        test.get(() -> node.bitmaps().add("coarse", OptionalLong.of(64 * GRANULE)));
    int granules = (int) (node.length() / GRANULE);
    BackendLane[] lanes = {
      lane, test.lane(backend, test.io1), test.lane(backend, test.io0), test.lane(backend, test.io1)
    };
    BitSet expected = new BitSet();
    for (int round = 0; round < 20; round++) {
      CountDownLatch begin = new CountDownLatch(1);
      List<Thread> writers = new ArrayList<>();
      for (int i = 0; i < lanes.length; i++) {
        Random random = new Random(100L * round + i);
        BackendLane way = lanes[i];
        int[] written = random.ints(200, 0, granules).toArray();
        for (int granule : written) {
          expected.set(granule);
        }
        writers.add(
            Thread.ofPlatform()
                .start(
                    () -> {
                      awaitUninterruptibly(begin);
                      for (int granule : written) {
                        run(way, Operation.WRITE, (long) granule * GRANULE, GRANULE);
                      }
                    }));
      }
      begin.countDown();
      for (Thread writer : writers) {
        writer.join();
      }
      for (int granule = 0; granule < granules; granule++) {
        long offset = (long) granule * GRANULE;
        assertEquals(expected.get(granule), bitmap.bits().get(offset), "granule " + granule);
        assertTrue(!expected.get(granule) || coarse.bits().get(offset), "granule " + granule);
      }
      if (round % 5 == 4) {
        test.control(() -> node.bitmaps().clear(bitmap));
        expected.clear();
      }
    }
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void goesOnMarkingWhenFiltersComeAndGoAndTheDiskMoves() throws Exception {
    DirtyBitmap bitmap = add(node, "b");
    run(lane, Operation.WRITE, 0, GRANULE);
    TestNode filter = test.filter("filter", node);
    test.control(() -> test.graph.insertFilter(filter, node));
    run(lane, Operation.WRITE, 10 * GRANULE, GRANULE);
    test.control(() -> ContextChange.run(node, test.io1.context()));
    run(lane, Operation.WRITE, 20 * GRANULE, GRANULE);
    test.control(() -> test.graph.removeFilter(filter));
    run(lane, Operation.WRITE, 30 * GRANULE, GRANULE);
    DrainedSection section = test.get(() -> DrainedSection.begin(node));
    TestRequest held = TestGraph.send(lane, request(Operation.WRITE, 40 * GRANULE, GRANULE));
    assertFalse(bitmap.bits().get(40 * GRANULE));
    test.control(section::close);
    assertEquals(0, held.result.join());
    assertEquals(
        List.of(0, 10, 20, 30, 40),
        dirty(bitmap).stream().map(area -> (int) area.offset() / GRANULE).toList());
  }

  @Test
  void marksWhatPassesTheNodeOnly() throws Exception {
    TestNode filter = test.filter("filter", node);
    DirtyBitmap above = add(filter, "b");
    DirtyBitmap below = add(node, "b");
    BackendLane through = test.lane(test.use(filter, "through"), test.io1);
    run(lane, Operation.WRITE, 0, GRANULE);
    run(through, Operation.WRITE, 10 * GRANULE, GRANULE);
    assertEquals(List.of(new DirtyArea(10 * GRANULE, GRANULE)), dirty(above));
    assertEquals(2, dirty(below).size());
  }

  @Test
  void aBlkdebugNodeWithABitmapStillHearsOfEvents() throws Exception {
    Io io =
        new Io(
            test,
            "driver=raw,node-name=raw,file.driver=blkdebug,file.node-name=dbg,"
                + "file.image.driver=null-co,file.image.size=1M,"
                + "file.inject-error.0.event=write_aio,file.inject-error.0.errno=28,"
                + "file.inject-error.0.iotype=write");
    DirtyBitmap bitmap = add(test.get(() -> test.graph.find("dbg")), "b");
    assertEquals(-Errno.ENOSPC, io.write(0, GRANULE, 1));
    assertEquals(List.of(new DirtyArea(0, GRANULE)), dirty(bitmap));
  }

  private void reopen(String size) throws Exception {
    test.control(
        () ->
            test.graph.reopen(
                List.of(Disk.options("driver=raw,node-name=raw,file=null,size=" + size))));
  }

  /** What is written past a bitmap's end would not be marked. */
  @Test
  void aNodeWithBitmapsKeepsItsLength() throws Exception {
    test.get(() -> test.graph.open(Disk.options("driver=null-co,node-name=null,size=1M")));
    BlockNode raw =
        test.get(
            () -> test.graph.open(Disk.options("driver=raw,node-name=raw,file=null,size=64k")));
    DirtyBitmap bitmap = add(raw, "b");
    BlockException refusal = assertThrows(BlockException.class, () -> reopen("128k"));
    assertEquals(
        "Cannot resize node 'raw' from 65536 to 131072 bytes: it has dirty bitmaps",
        refusal.getMessage());
    assertEquals(65536, raw.length());
    reopen("64k");
    test.control(() -> raw.bitmaps().remove(bitmap));
    reopen("128k");
    assertEquals(131072, add(raw, "c").size());
  }

  /** A link below leads to a longer node; no node is reopened. */
  @Test
  void aNodeWithBitmapsKeepsItsLengthWhenLinksChange() throws Exception {
    test.open("driver=null-co,node-name=null,size=64k");
    BlockNode longer = test.open("driver=null-co,node-name=longer,size=128k");
    BlockNode raw = test.open("driver=raw,node-name=raw,file=null");
    BlockNode top = test.open("driver=raw,node-name=top,file=raw");
    BackendLane way = test.lane(test.use(top, "v"), test.io1);
    TestGraph.Work change =
        () -> {
          GraphChange lengthen = new GraphChange();
          lengthen.redirect(raw.children().getFirst(), longer);
          lengthen.run();
        };
    for (BlockNode marked : List.of(raw, top)) {
      DirtyBitmap bitmap = add(marked, "b");
      assertEquals(
          "Cannot resize node '%s' from 65536 to 131072 bytes: it has dirty bitmaps"
              .formatted(marked.name()),
          test.refusal(change));
      test.control(() -> marked.bitmaps().remove(bitmap));
    }
    test.control(change);
    DirtyBitmap bitmap = add(top, "b");
    assertEquals(131072, bitmap.size());
    assertEquals(0, run(way, Operation.WRITE, 65536, 512));
    assertEquals(List.of(new DirtyArea(65536, 512)), dirty(bitmap));
  }

  private void refused(String sentence, String name, long granularity) {
    BlockException refusal =
        assertThrows(
            BlockException.class,
            () -> test.control(() -> node.bitmaps().add(name, OptionalLong.of(granularity))));
    assertEquals(sentence, refusal.getMessage());
  }

  @Test
  void namesAreUniqueWithinANodeAndGranularitiesPowersOfTwo() throws Exception {
    DirtyBitmap bitmap = add(node, "b");
    TestNode other = test.node("other");
    add(other, "b");
    refused("Bitmap already exists: b", "b", 512);
    refused("Granularity must be power of 2 and at least 512", "c", 256);
    refused("Granularity must be power of 2 and at least 512", "c", 1000);
    refused("Granularity must be at most 2147483648", "c", 1L << 32);
    test.control(() -> node.bitmaps().add("c", OptionalLong.of(1L << 31)));
    test.control(() -> node.bitmaps().reserve(bitmap));
    BlockException busy =
        assertThrows(BlockException.class, () -> test.control(() -> node.bitmaps().remove(bitmap)));
    assertEquals(
        "Bitmap 'b' is currently in use by another operation and cannot be used",
        busy.getMessage());
  }

  @Test
  void aNodeThatIsOpenedByItsDescriptionMarksAsWell() throws Exception {
    BlockNode opened =
        test.get(() -> test.graph.open(Disk.options("driver=null-co,node-name=null,size=1M")));
    BackendLane way = test.lane(test.use(opened, "v"), test.io1);
    DirtyBitmap bitmap = add(opened, "b");
    assertEquals(0, run(way, Operation.DISCARD, 512, 512));
    assertEquals(List.of(new DirtyArea(512, 512)), dirty(bitmap));
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CopyOnReadTest extends GraphFixture {
  private LayerDisk base;
  private LayerDisk middle;
  private LayerDisk top;

  /** Three layers: sectors 0 to 15 are the base's, 16 to 31 the middle's, 32 to 47 the top's. */
  @BeforeEach
  void start() throws Exception {
    base = LayerDisk.add(test, "base", null).fill(0, 128, 1);
    middle = LayerDisk.add(test, "middle", base).fill(16, 16, 2);
    top = LayerDisk.add(test, "top", middle).fill(32, 16, 3);
  }

  private Io open(String options) throws Exception {
    return new Io(test, "driver=copy-on-read,node-name=cor,file=top" + options);
  }

  private static BitSet sectors(int... firstAndEnd) {
    BitSet set = new BitSet();
    for (int i = 0; i < firstAndEnd.length; i += 2) {
      set.set(firstAndEnd[i], firstAndEnd[i + 1]);
    }
    return set;
  }

  @Test
  void whatIsReadFromBelowIsKept() throws Exception {
    Io io = open("");
    byte[] before = top.seen();
    assertArrayEquals(Arrays.copyOfRange(before, 12 * 512, 50 * 512), io.bytes(12 * 512, 38 * 512));
    assertEquals(sectors(12, 50), top.held);
    assertArrayEquals(before, top.seen());
    assertEquals(sectors(16, 32), middle.held);
    // The second time nothing has to be copied.
    top.requests.clear();
    io.bytes(12 * 512, 38 * 512);
    assertEquals(List.of("READ 6144+19456"), top.requests);
  }

  @Test
  void onlyDataDownToTheBottomIsCopied() throws Exception {
    Io io = open(",bottom=middle");
    byte[] before = top.seen();
    assertArrayEquals(Arrays.copyOf(before, 40 * 512), io.bytes(0, 40 * 512));
    assertEquals(sectors(16, 48), top.held);
  }

  @Test
  void nothingIsCopiedIntoTheBottomItself() throws Exception {
    Io io = open(",bottom=top");
    assertEquals(0, io.read(0, LayerDisk.SIZE));
    assertEquals(sectors(32, 48), top.held);
  }

  @Test
  void zeroesAreKeptAsZeroes() throws Exception {
    base.fill(4, 2, 0);
    Io io = open("");
    assertArrayEquals(new byte[1024], io.bytes(4 * 512, 1024));
    assertEquals(List.of("READ 2048+1024", "WRITE_ZEROES 2048+1024"), top.requests);
    assertEquals(sectors(4, 6, 32, 48), top.held);
  }

  /** A write that comes while older data is being copied must not be lost under it. */
  @Test
  void aWriteWaitsForTheCopyingOfItsRange() throws Exception {
    test.get(() -> test.graph.open(Disk.options("driver=blkdebug,node-name=dbg,image=top")));
    Io io = new Io(test, "driver=copy-on-read,node-name=cor,file=dbg");
    Breakpoints breakpoints = test.get(() -> Breakpoints.of(io.node));
    breakpoints.breakOn(BlkdebugEvent.COR_WRITE, "A");
    TestRequest read = io.send(TestRequest.transfer(Operation.READ, 0, Io.memory(4096)));
    breakpoints.awaitSuspended("A");
    TestRequest overlapping = io.startWrite(512, 512, 9);
    assertEquals(0, io.write(8192, 512, 8), "a write elsewhere has to wait");
    assertFalse(overlapping.result.isDone());
    breakpoints.resume("A");
    assertEquals(0, read.result.join());
    assertEquals(0, overlapping.result.join());
    assertArrayEquals(Io.repeated(512, 9), io.bytes(512, 512));
    assertArrayEquals(Io.repeated(512, 1), io.bytes(1024, 512));
  }

  @Test
  void anErrorOfTheCopyingIsTheReads() throws Exception {
    test.get(
        () ->
            test.graph.open(
                Disk.options(
                    "driver=blkdebug,node-name=dbg,image=top,inject-error.0.event=none"
                        + ",inject-error.0.iotype=write,inject-error.0.errno=28")));
    Io io = new Io(test, "driver=copy-on-read,node-name=cor,file=dbg");
    assertEquals(-Errno.ENOSPC, io.read(0, 512));
    assertEquals(0, io.read(32 * 512, 512));
    assertEquals(sectors(32, 48), top.held);
  }

  @Test
  void manyRequestsAtOnceSeeWhatAPlainDiskWouldShow() throws Exception {
    Random random = new Random(5);
    Io io = open("");
    byte[] model = top.seen();
    for (int round = 0; round < 60; round++) {
      TestRequest[] requests = new TestRequest[8];
      for (int slot = 0; slot < requests.length; slot++) {
        // Each keeps to its own eighth, so that the outcome is determined.
        int offset = slot * 8192 + random.nextInt(8) * 512;
        int length = (random.nextInt(8) + 1) * 512;
        int value = random.nextInt(100) + 100;
        switch (random.nextInt(3)) {
          case 0 -> {
            requests[slot] = io.startWrite(offset, length, value);
            Arrays.fill(model, offset, offset + length, (byte) value);
          }
          case 1 -> {
            requests[slot] = io.send(TestRequest.range(Operation.WRITE_ZEROES, offset, length));
            Arrays.fill(model, offset, offset + length, (byte) 0);
          }
          default ->
              requests[slot] =
                  io.send(TestRequest.transfer(Operation.READ, offset, Io.memory(length)));
        }
      }
      for (TestRequest request : requests) {
        assertEquals(0, request.result.join());
      }
    }
    assertArrayEquals(model, io.bytes(0, LayerDisk.SIZE));
    assertArrayEquals(model, top.contents);
  }

  @Test
  void theChainIsFrozenWhileItIsReliedOn() throws Exception {
    Io io = open(",bottom=base");
    BlockEdge link = middle.children().getFirst();
    assertEquals(true, link.isFrozen());
    assertEquals(
        Set.of(Permission.CONSISTENT_READ, Permission.WRITE, Permission.WRITE_UNCHANGED),
        top.parents().getFirst().used());
    test.control(
        () -> {
          GraphChange change = new GraphChange();
          change.detach(link);
          assertEquals(
              "Cannot change 'backing' link from node 'middle' to 'base': node 'cor' relies on it",
              assertThrows(BlockException.class, change::run).getMessage());
          test.graph.removeFilter(io.node);
          assertFalse(link.isFrozen());
        });
    assertEquals(0, io.read(0, 512));
    assertEquals(sectors(32, 48), top.held);
  }

  @Test
  void aBottomThatIsNoneIsNamed() throws Exception {
    LayerDisk other = LayerDisk.add(test, "other", null);
    test.get(() -> test.graph.open(Disk.options("driver=raw,node-name=r,file=base")));
    refused("Failed to find node with node-name='nowhere'", "nowhere");
    refused("Bottom node 'r' is a filter", "r");
    refused("Bottom node 'other' is not in the backing chain of node 'top'", other.name());
  }

  private void refused(String sentence, String bottom) {
    Exception refusal = assertThrows(BlockException.class, () -> open(",bottom=" + bottom));
    assertEquals(sentence, refusal.getMessage());
  }
}

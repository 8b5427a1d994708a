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
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QuorumTest extends GraphFixture {
  private final List<LayerDisk> disks = new ArrayList<>();

  @BeforeEach
  void start() throws Exception {
    for (int i = 0; i < 3; i++) {
      disks.add(LayerDisk.add(test, "d" + i, null).fill(0, 128, 1));
    }
  }

  private Io open(String options) throws Exception {
    return new Io(
        test,
        "driver=quorum,node-name=q,children.0=d0,children.1=d1,children.2=d2,vote-threshold=2"
            + options);
  }

  @Test
  void everythingIsWrittenToAll() throws Exception {
    Io io = open("");
    assertEquals(0, io.write(512, 1024, 5));
    assertEquals(0, io.range(Operation.WRITE_ZEROES, 4096, 512));
    assertEquals(0, io.range(Operation.FLUSH, 0, 0));
    // Where a range has been discarded they might differ.
    assertEquals(0, io.range(Operation.DISCARD, 0, 512));
    for (LayerDisk disk : disks) {
      assertEquals(List.of("WRITE 512+1024", "WRITE_ZEROES 4096+512", "FLUSH 0+0"), disk.requests);
    }
    assertArrayEquals(Io.repeated(1024, 5), io.bytes(512, 1024));
  }

  /** Zeroing one member fast and leaving another as it is would make them differ. */
  @Test
  void noMemberIsLeftOutOfFastZeroes() throws Exception {
    disks.get(2).slowZeroes = true;
    Io io = open("");
    TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, 4096, 512);
    zeroes.mustBeFast = true;
    assertEquals(-Errno.EOPNOTSUPP, io.send(zeroes).result.join());
    assertArrayEquals(disks.getFirst().seen(), disks.get(2).seen());
    assertEquals(0, io.range(Operation.WRITE_ZEROES, 4096, 512));
    assertArrayEquals(disks.getFirst().seen(), disks.get(2).seen());
  }

  @Test
  void theMajorityIsRight() throws Exception {
    disks.getFirst().fill(3, 1, 9);
    Io io = open("");
    assertArrayEquals(Io.repeated(4096, 1), io.bytes(0, 4096));
    assertEquals(9, disks.getFirst().at(3 * 512), "nobody asked for it to be put right");
    disks.get(1).fill(3, 1, 8);
    assertEquals(-Errno.EIO, io.read(0, 4096));
    assertArrayEquals(Io.repeated(1536, 1), io.bytes(0, 1536));
  }

  @Test
  void errorsCountAsVotes() throws Exception {
    Io io = open("");
    disks.getFirst().errno = Errno.EIO;
    assertEquals(0, io.write(0, 512, 2));
    assertArrayEquals(Io.repeated(512, 2), io.bytes(0, 512));
    disks.get(1).errno = Errno.ENOSPC;
    assertEquals(-Errno.EIO, io.write(0, 512, 3), "of as many errors the first counts");
    assertEquals(-Errno.EIO, io.read(0, 512));
    disks.get(2).errno = Errno.ENOSPC;
    assertEquals(-Errno.ENOSPC, io.write(0, 512, 3));
    assertEquals(-Errno.ENOSPC, io.read(0, 512));
  }

  @Test
  void outvotedDataIsPutRightIfAskedFor() throws Exception {
    disks.get(2).fill(3, 1, 9);
    Io io = open(",rewrite-corrupted=on");
    assertArrayEquals(Io.repeated(1024, 1), io.bytes(3 * 512, 1024));
    assertArrayEquals(disks.getFirst().seen(), disks.get(2).seen());
    assertEquals(List.of(), writes(disks.getFirst()));
    assertEquals(List.of("WRITE 1536+1024"), writes(disks.get(2)));
    assertEquals(0, io.write(0, 512, 4));
    assertEquals(0, io.range(Operation.WRITE_ZEROES, 512, 512));
    assertArrayEquals(disks.getFirst().seen(), disks.get(2).seen());
  }

  private static List<String> writes(LayerDisk disk) {
    return disk.requests.stream().filter(request -> request.startsWith("WRITE")).toList();
  }

  /** A write that is on its way makes members differ for a while: that is not to be put right. */
  @Test
  void aWriteOnItsWayIsNotUndone() throws Exception {
    test.get(() -> test.graph.open(Disk.options("driver=blkdebug,node-name=dbg,image=d2")));
    Io io =
        new Io(
            test,
            "driver=quorum,children.0=d0,children.1=d1,children.2=dbg,vote-threshold=2"
                + ",rewrite-corrupted=on");
    Breakpoints breakpoints = (Breakpoints) test.get(() -> test.graph.find("dbg"));
    breakpoints.breakOn(BlkdebugEvent.PWRITEV, "A");
    TestRequest write = io.startWrite(0, 512, 7);
    breakpoints.awaitSuspended("A");
    TestRequest read = io.send(TestRequest.transfer(Operation.READ, 0, Io.memory(512)));
    assertFalse(read.result.isDone());
    assertEquals(List.of(), writes(disks.get(2)));
    breakpoints.resume("A");
    assertEquals(0, write.result.join());
    assertEquals(0, read.result.join());
    assertEquals(List.of("WRITE 0+512"), writes(disks.get(2)));
  }

  @Test
  void firstInFirstOutAsksTheNextOnlyAfterAnError() throws Exception {
    Io io = open(",read-pattern=fifo");
    disks.get(1).fill(0, 8, 2);
    assertArrayEquals(Io.repeated(512, 1), io.bytes(0, 512));
    assertEquals(List.of(), disks.get(1).requests);
    disks.getFirst().errno = Errno.EIO;
    assertArrayEquals(Io.repeated(512, 2), io.bytes(0, 512));
    assertEquals(List.of(), disks.get(2).requests);
    disks.forEach(disk -> disk.errno = Errno.ENXIO);
    assertEquals(-Errno.ENXIO, io.read(0, 512));
  }

  @Test
  void twoThatMustAgree() throws Exception {
    Io io = new Io(test, "driver=quorum,children.0=d0,children.1=d1,vote-threshold=2,blkverify=on");
    assertEquals(0, io.read(0, 4096));
    disks.get(1).fill(7, 1, 9);
    assertEquals(-Errno.EIO, io.read(0, 4096));
    assertEquals(0, io.read(0, 512));
  }

  @Test
  void nobodyElseMayWriteToAMember() throws Exception {
    Io io = open(",rewrite-corrupted=on");
    BlockEdge link = io.node.children().getFirst();
    assertEquals(
        Set.of(Permission.CONSISTENT_READ, Permission.WRITE, Permission.WRITE_UNCHANGED),
        link.used());
    assertEquals(Set.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED), link.shared());
  }

  @Test
  void badOptionsAreNamed() throws Exception {
    refused("Number of provided children must be 1 or more", "vote-threshold=1");
    refused("parameter 'vote-threshold' is missing", "children.0=d0");
    refused("parameter 'vote-threshold' expects a value >= 1", "children.0=d0,vote-threshold=0");
    refused("threshold may not exceed children number (1)", "children.0=d0,vote-threshold=2");
    refused(
        "blkverify=on can only be set if there are exactly two files and vote-threshold is 2",
        "children.0=d0,children.1=d1,vote-threshold=1,blkverify=on");
    refused(
        "rewrite-corrupted=on cannot be used with blkverify=on",
        "children.0=d0,children.1=d1,vote-threshold=2,blkverify=on,rewrite-corrupted=on");
    refused("children: parameter '1' is missing", "children.0=d0,children.2=d1,vote-threshold=1");
    test.node("longer");
    Exception lengths =
        assertThrows(
            BlockException.class,
            () ->
                test.get(
                    () ->
                        test.graph.open(
                            Disk.options(
                                "driver=quorum,children.0=d0,children.1=longer,vote-threshold=1"))));
    assertEquals(
        "Children of a quorum must have the same length: node 'd0' has 65536 bytes, node 'longer'"
            + " 1048576",
        lengths.getMessage());
    assertEquals(List.of(), disks.getFirst().parents());
  }

  private void refused(String sentence, String options) {
    Exception refusal =
        assertThrows(
            Exception.class,
            () -> test.get(() -> test.graph.open(Disk.options("driver=quorum," + options))));
    assertEquals("--blockdev: " + sentence, refusal.getMessage());
  }
}

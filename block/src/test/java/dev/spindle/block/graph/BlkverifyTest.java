// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BlkverifyTest extends GraphFixture {
  private LayerDisk tested;
  private LayerDisk raw;
  private Io io;

  @BeforeEach
  void start() throws Exception {
    tested = LayerDisk.add(test, "tested", null).fill(0, 128, 1);
    raw = LayerDisk.add(test, "plain", null).fill(0, 128, 1);
    io = new Io(test, "driver=blkverify,node-name=v,test=tested,raw=plain");
  }

  @Test
  void bothAreWrittenAndBothAreRead() throws Exception {
    assertEquals(0, io.write(512, 512, 4));
    assertEquals(0, io.range(Operation.WRITE_ZEROES, 1024, 512));
    assertEquals(0, io.range(Operation.DISCARD, 2048, 512));
    assertEquals(0, io.range(Operation.FLUSH, 0, 0));
    assertArrayEquals(Io.repeated(512, 4), io.bytes(512, 512));
    assertEquals(
        List.of("WRITE 512+512", "WRITE_ZEROES 1024+512", "FLUSH 0+0", "READ 512+512"),
        tested.requests);
    assertEquals(List.of("WRITE 512+512", "WRITE_ZEROES 1024+512", "READ 512+512"), raw.requests);
  }

  @Test
  void fastZeroesDoNotMakeThemDiffer() {
    tested.slowZeroes = true;
    TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, 1024, 512);
    zeroes.mustBeFast = true;
    assertEquals(-Errno.EOPNOTSUPP, io.send(zeroes).result.join());
    assertArrayEquals(Io.repeated(512, 1), io.bytes(1024, 512));
  }

  @Test
  void aReadThatDiffersFails() {
    raw.fill(5, 1, 2);
    assertEquals(-Errno.EIO, io.read(0, 4096));
    assertEquals(0, io.read(0, 5 * 512));
    assertEquals(0, io.read(6 * 512, 512));
    assertEquals(-Errno.EIO, io.read(5 * 512, 1));
    assertEquals(0, io.write(5 * 512, 512, 3));
    assertEquals(0, io.read(0, 4096));
  }

  @Test
  void anErrorOfOneOnlyIsAMismatch() {
    tested.errno = Errno.ENOSPC;
    assertEquals(-Errno.EIO, io.write(0, 512, 1));
    raw.errno = Errno.ENOSPC;
    assertEquals(-Errno.ENOSPC, io.write(0, 512, 1));
    tested.errno = 0;
    assertEquals(-Errno.EIO, io.read(0, 512));
  }

  @Test
  void lengthsThatDifferAreRefused() throws Exception {
    test.node("longer");
    BlockException refusal =
        assertThrows(
            BlockException.class,
            () ->
                test.get(
                    () ->
                        test.graph.open(Disk.options("driver=blkverify,test=tested,raw=longer"))));
    assertEquals(
        "Node 'tested' has 65536 bytes, but node 'longer' has 1048576: they cannot read the same",
        refusal.getMessage());
  }
}

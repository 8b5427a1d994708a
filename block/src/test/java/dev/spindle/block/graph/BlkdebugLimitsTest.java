// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How {@code driver=blkdebug} cuts requests up that its limits do not allow. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BlkdebugLimitsTest extends GraphFixture {
  private LayerDisk disk;

  @BeforeEach
  void start() throws Exception {
    disk = LayerDisk.add(test, "disk", null);
  }

  private Io open(String limits) throws Exception {
    return new Io(test, "driver=blkdebug,node-name=top,image=disk" + limits);
  }

  @Test
  void aTransferGoesInParts() throws Exception {
    Io io = open(",max-transfer=1024");
    assertEquals(0, io.write(512, 2500, 5));
    assertEquals(List.of("WRITE 512+1024", "WRITE 1536+1024", "WRITE 2560+452"), disk.requests);
    assertArrayEquals(Io.repeated(2500, 5), io.bytes(512, 2500));
  }

  @Test
  void anErrorInOnePartFailsTheRequest() throws Exception {
    Io io = open(",max-transfer=512,inject-error.0.event=none,inject-error.0.sector=2");
    assertEquals(-Errno.EIO, io.write(0, 2048, 5));
    assertEquals(List.of("WRITE 0+512", "WRITE 512+512"), disk.requests);
  }

  @Test
  void anUnalignedWriteReadsWhatItDoesNotWrite() throws Exception {
    disk.fill(0, 128, 1);
    Io io = open(",align=4096");
    assertEquals(4096, io.node.limits().requestAlignment());
    assertEquals(0, io.write(1000, 8000, 2));
    assertEquals(List.of("READ 0+4096", "READ 8192+4096", "WRITE 0+12288"), disk.requests);
    byte[] expected = Io.repeated(LayerDisk.SIZE, 1);
    Arrays.fill(expected, 1000, 9000, (byte) 2);
    assertArrayEquals(expected, disk.seen());
    disk.requests.clear();
    assertArrayEquals(Arrays.copyOfRange(expected, 900, 1100), io.bytes(900, 200));
    assertEquals(List.of("READ 0+4096"), disk.requests);
  }

  @Test
  void zeroesAndDiscardsAreCutToWholeUnits() throws Exception {
    disk.fill(0, 128, 1);
    Io io = open(",opt-write-zero=2048,max-write-zero=4096,opt-discard=4096,max-discard=8192");
    assertEquals(0, io.range(Operation.WRITE_ZEROES, 1024, 10240));
    assertEquals(
        List.of(
            "WRITE 1024+1024",
            "WRITE_ZEROES 2048+4096",
            "WRITE_ZEROES 6144+4096",
            "WRITE 10240+1024"),
        disk.requests);
    disk.requests.clear();
    assertEquals(0, io.range(Operation.DISCARD, 512, 30000));
    assertEquals(
        List.of("DISCARD 4096+8192", "DISCARD 12288+8192", "DISCARD 20480+8192"), disk.requests);
    disk.requests.clear();
    assertEquals(0, io.range(Operation.DISCARD, 512, 512));
    assertEquals(List.of(), disk.requests);
  }

  /** Two writes of different sectors of one block: the second must read what the first wrote. */
  @Test
  void whoWritesPartOfABlockHasItAlone() throws Exception {
    disk.fill(0, 128, 1);
    Io io = open(",align=4096");
    Breakpoints breakpoints = (Breakpoints) io.node;
    breakpoints.breakOn(BlkdebugEvent.PWRITEV_RMW_AFTER_HEAD, "A");
    TestRequest first = io.startWrite(512, 512, 2);
    breakpoints.awaitSuspended("A");
    TestRequest second = io.startWrite(1024, 512, 3);
    TestRequest whole = io.startWrite(4096, 4096, 4);
    assertEquals(0, whole.result.join(), "another block has to wait");
    assertFalse(second.result.isDone());
    breakpoints.resume("A");
    assertEquals(0, first.result.join());
    assertEquals(0, second.result.join());
    byte[] expected = Io.repeated(4096, 1);
    Arrays.fill(expected, 512, 1024, (byte) 2);
    Arrays.fill(expected, 1024, 1536, (byte) 3);
    assertArrayEquals(expected, Arrays.copyOf(disk.seen(), 4096));
  }

  @ParameterizedTest
  @CsvSource({
    "11, 512, 0, 0, 0, 0",
    "12, 4096, 8192, 8192, 16384, 4096",
    "13, 1024, 1024, 3072, 3072, 1024",
    "14, 0, 1536, 512, 1024, 2048"
  })
  void anyRequestDoesWhatItWouldDoWithoutLimits(
      long seed, long align, long transfer, long optZero, long maxZero, long optDiscard)
      throws Exception {
    Random random = new Random(seed);
    Io io =
        open(
            ",align=%d,max-transfer=%d,opt-write-zero=%d,max-write-zero=%d,opt-discard=%d"
                .formatted(align, transfer, optZero, maxZero, optDiscard));
    byte[] model = new byte[LayerDisk.SIZE];
    for (int step = 0; step < 400; step++) {
      int offset = random.nextInt(LayerDisk.SIZE);
      int length = random.nextInt(Math.min(12_000, LayerDisk.SIZE - offset) + 1);
      switch (random.nextInt(4)) {
        case 0 -> {
          int value = random.nextInt(255) + 1;
          assertEquals(0, io.write(offset, length, value));
          Arrays.fill(model, offset, offset + length, (byte) value);
        }
        case 1 -> {
          assertEquals(0, io.range(Operation.WRITE_ZEROES, offset, length));
          Arrays.fill(model, offset, offset + length, (byte) 0);
        }
        case 2 -> {
          assertEquals(0, io.range(Operation.DISCARD, offset, length));
          int unit = (int) Math.max(1, Math.max(align, optDiscard));
          int first = (offset + unit - 1) / unit * unit;
          int last = (offset + length) / unit * unit;
          if (first < last) {
            Arrays.fill(model, first, last, (byte) 0);
          }
        }
        default ->
            assertArrayEquals(
                Arrays.copyOfRange(model, offset, offset + length), io.bytes(offset, length));
      }
    }
    assertArrayEquals(model, disk.seen());
    for (String request : disk.requests) {
      checkLimits(request, Math.max(1, align), transfer, optZero, maxZero, optDiscard);
    }
  }

  private static void checkLimits(
      String request, long align, long transfer, long optZero, long maxZero, long optDiscard) {
    String[] parts = request.split("[ +]", 3);
    long offset = Long.parseLong(parts[1]);
    long length = Long.parseLong(parts[2]);
    long unit = align;
    long most = 0;
    switch (Operation.valueOf(parts[0])) {
      case READ, WRITE -> most = transfer;
      case WRITE_ZEROES -> {
        unit = Math.max(align, optZero);
        most = maxZero;
      }
      case DISCARD -> unit = Math.max(align, optDiscard);
      case FLUSH -> {}
    }
    assertTrue(offset % unit == 0 && length % unit == 0, request);
    assertTrue(most == 0 || length <= most, request);
  }
}

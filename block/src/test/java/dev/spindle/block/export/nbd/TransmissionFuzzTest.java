// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.FuzzStream;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.NbdError;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.block.nbd.ReplyHeader;
import dev.spindle.block.nbd.TransmissionFlags;
import dev.spindle.block.nbd.Wire;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fuzzer is a client that uses an export: the first byte says what has been agreed on, the
 * second how its bytes come, the others are requests. What is answered is made of whole replies in
 * the style agreed on, the connection ends, and nothing of it stays.
 */
class TransmissionFuzzTest {
  /** Set where an error is logged; what is thrown on a context's thread ends there. */
  private static final String LOGGED_ERROR = "spindle.test.error";

  private static final int SIZE = 1 << 18;
  private static final int ALIGNED = 4;
  private static final int READ_ONLY = 8;

  private static Disk disk;

  static Stream<byte[]> seeds() {
    return NbdSeeds.transmissions();
  }

  @BeforeAll
  static void open() throws Exception {
    System.clearProperty(LOGGED_ERROR);
    disk = new Disk("driver=null-aio,node-name=disk,read-zeroes=on,size=" + SIZE);
  }

  @AfterAll
  static void close() throws Exception {
    disk.close();
  }

  @MethodSource("seeds")
  @FuzzTest(maxDuration = "", maxExecutions = 2_000)
  void client(byte[] bytes) throws Exception {
    if (bytes.length < 2) {
      return;
    }
    HeaderStyle[] styles = HeaderStyle.values();
    HeaderStyle style = styles[(bytes[0] & 3) % styles.length];
    int flags =
        TransmissionFlags.HAS_FLAGS
            | TransmissionFlags.SEND_DF
            | ((bytes[0] & READ_ONLY) != 0 ? TransmissionFlags.READ_ONLY : 0)
            | (style == HeaderStyle.EXTENDED ? TransmissionFlags.BLOCK_STATUS_PAYLOAD : 0);
    List<MetaContext> contexts =
        style == HeaderStyle.SIMPLE
            ? List.of()
            : List.of(new MetaContext.Allocation(0), new MetaContext.AllocationDepth(1));
    BlockSizes sizes =
        (bytes[0] & ALIGNED) != 0 ? new BlockSizes(512, 4096, 32 << 20) : BlockSizes.DEFAULT;
    FuzzStream stream = new FuzzStream(bytes, 2, Byte.toUnsignedInt(bytes[1]));
    NbdConnection connection =
        new NbdConnection("fuzz", stream, new ClientTerms(style, sizes, flags, contexts), SIZE);
    AioContext context = disk.lane().context();
    BackendLane lane = context.call(() -> disk.backend.openLane(context));
    connection.setLane(lane);
    context.execute(() -> connection.start(SIZE));
    connection.gone().join();
    context.call(
        () -> {
          lane.close();
          return null;
        });
    assertNull(System.clearProperty(LOGGED_ERROR));
    assertTrue(stream.isClosed());
    check(MemorySegment.ofArray(stream.sent()), style);
  }

  /** What has been said is made of whole replies, but for the last one. */
  private static void check(MemorySegment said, HeaderStyle style) {
    ReplyHeader header = new ReplyHeader();
    long at = 0;
    while (at + style.replyBytes() <= said.byteSize()) {
      assertEquals(style, ReplyHeader.styleOf(said, at));
      header.read(said, at, style);
      at += style.replyBytes();
      if (style == HeaderStyle.SIMPLE) {
        // How long the data are, only who asked knows; the seeds' are zero.
        at = skipZeroes(said, at);
      } else {
        assertTrue(header.length >= 0 && header.length <= (32 << 20) + 8, header.length + " bytes");
        assertTrue(header.flags == ReplyChunk.DONE || header.flags == 0);
        if (ReplyChunk.isError(header.type) && at + 4 <= said.byteSize()) {
          assertTrue(said.get(Wire.INT, at) >= NbdError.EPERM);
        }
        at += header.length;
      }
    }
  }

  private static long skipZeroes(MemorySegment said, long from) {
    long at = from;
    while (at < said.byteSize() && said.get(ValueLayout.JAVA_BYTE, at) == 0) {
      at++;
    }
    return at;
  }
}

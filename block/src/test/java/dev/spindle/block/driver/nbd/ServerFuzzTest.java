// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.FuzzStream;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.TransmissionFlags;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fuzzer is a server that has been asked for some data: the first byte says what has been
 * agreed on, the second how its bytes come, the others are replies. Whatever they are, each request
 * ends once, and nothing is written but into the buffers of requests that have not ended.
 */
class ServerFuzzTest {
  /** Set where an error is logged; what is thrown on a context's thread ends there. */
  private static final String LOGGED_ERROR = "spindle.test.error";

  private static final int BLOCK = 4096;
  private static final int BUFFERS = 3;
  private static final byte AROUND = 0x77;
  private static final MemorySegment NOTHING =
      MemorySegment.ofArray(new byte[BLOCK]).fill(AROUND).asReadOnly();

  @TempDir static Path folder;
  private static Disk disk;

  /** Buffers of one block each, with as much before and after each that is nobody's. */
  private static final MemorySegment MEMORY =
      Arena.global().allocate((2 * BUFFERS + 1) * BLOCK, BLOCK);

  static Stream<byte[]> seeds() {
    return ServerSeeds.all();
  }

  @BeforeAll
  static void open() throws Exception {
    System.clearProperty(LOGGED_ERROR);
    Path socket = folder.resolve("fake.sock");
    // Whoever loses his connection finds nobody there any more.
    try (FakeServer server =
        new FakeServer(socket, (with, connection) -> with.negotiate(HeaderStyle.STRUCTURED))) {
      disk =
          new Disk("driver=nbd,node-name=disk,read-only=on,server.type=unix,server.path=" + socket);
    }
  }

  private static boolean contains(byte[] bytes, byte wanted) {
    for (byte one : bytes) {
      if (one == wanted) {
        return true;
      }
    }
    return false;
  }

  /** What a request ends with, which it does in a while at most. */
  private static int result(TestRequest request) {
    return request.result.orTimeout(1, TimeUnit.MINUTES).join();
  }

  /** A read that has gone well has written all of its buffer. */
  private static void assertFilled(TestRequest read) {
    if (result(read) == 0) {
      byte[] found = MEMORY.asSlice(read.offset, read.length).toArray(ValueLayout.JAVA_BYTE);
      assertFalse(contains(found, AROUND), "data that nobody has sent");
    }
  }

  @AfterAll
  static void close() throws Exception {
    disk.close();
  }

  @MethodSource("seeds")
  @FuzzTest(maxDuration = "", maxExecutions = 2_000)
  void replies(byte[] bytes) throws Exception {
    if (bytes.length < 2) {
      return;
    }
    HeaderStyle style = HeaderStyle.values()[(bytes[0] & 3) % 3];
    MEMORY.fill(AROUND);
    FuzzStream stream = new FuzzStream(bytes, 2, Byte.toUnsignedInt(bytes[1]));
    ExportTerms terms =
        new ExportTerms(
            FakeServer.SIZE,
            TransmissionFlags.HAS_FLAGS | TransmissionFlags.SEND_FLUSH,
            BlockSizes.DEFAULT,
            style,
            style == HeaderStyle.SIMPLE ? -1 : FakeServer.CONTEXT);
    Channels channels = new Channels((NbdNode) disk.node, new Link(stream, terms), false);
    AioContext context = disk.lane().context();
    List<TestRequest> requests = new ArrayList<>();
    for (long at = BLOCK; at < MEMORY.byteSize(); at += 2 * BLOCK) {
      requests.add(TestRequest.transfer(Operation.READ, at, MEMORY.asSlice(at, BLOCK)));
    }
    requests.add(TestRequest.range(Operation.FLUSH, 0, 0));
    StatusQuery query = new StatusQuery();
    CompletableFuture<Channel> channel = new CompletableFuture<>();
    // All are asked in one turn, before the first reply comes.
    context.execute(
        () -> {
          Channel entered = channels.enter(context);
          requests.forEach(
              request -> entered.submit(request, request.offset, request.length, null));
          if (style != HeaderStyle.SIMPLE) {
            entered.submit(query, 0, BLOCK, null);
          }
          channel.complete(entered);
        });
    requests.forEach(request -> assertTrue(result(request) <= 0));
    if (!contains(bytes, AROUND)) {
      requests.subList(0, BUFFERS).forEach(ServerFuzzTest::assertFilled);
    }
    if (style != HeaderStyle.SIMPLE) {
      assertTrue(query.await() <= 0);
    }
    assertTrue(query.extentLength >= 0 && query.extentLength <= BLOCK);
    byte[] left = MEMORY.toArray(ValueLayout.JAVA_BYTE);
    context.call(
        () -> {
          channels.exit(channel.join(), context);
          return null;
        });
    channels.close();
    assertEquals(-1, MEMORY.mismatch(MemorySegment.ofArray(left)), "written after the end");
    for (long at = 0; at < MEMORY.byteSize(); at += 2 * BLOCK) {
      assertEquals(-1, MEMORY.asSlice(at, BLOCK).mismatch(NOTHING), "written beside the buffers");
    }
    assertNull(System.clearProperty(LOGGED_ERROR));
  }
}

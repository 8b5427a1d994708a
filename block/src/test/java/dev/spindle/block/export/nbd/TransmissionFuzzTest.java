// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.FuzzStream;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.TransmissionFlags;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fuzzer is a client that uses an export: the first byte says what has been agreed on, the
 * second how its bytes come, the others are requests. Each is answered once, and as a model says,
 * what is written is there, the connection ends, and nothing of it stays.
 */
class TransmissionFuzzTest {
  /** Set where an error is logged; what is thrown on a context's thread ends there. */
  private static final String LOGGED_ERROR = "spindle.test.error";

  private static final int SIZE = NbdSeeds.EXPORT_BYTES;

  private static final byte[] CONTENT = content();

  private static MainLoop mainLoop;
  private static BlockGraph graph;
  private static IoThread ioThread;
  private static TransmissionNode node;
  private static BlockBackend backend;

  static Stream<byte[]> seeds() {
    return NbdSeeds.transmissions();
  }

  @BeforeAll
  static void open() throws Exception {
    System.clearProperty(LOGGED_ERROR);
    mainLoop = MainLoop.start();
    graph = new BlockGraph(mainLoop);
    ioThread = IoThread.start("io0", ContextOptions.IOTHREAD);
    backend =
        mainLoop.control(
            "attach",
            () -> {
              node = new TransmissionNode(graph.mainContext(), SIZE);
              return new BlockBackend(
                  node,
                  () -> "test",
                  EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE),
                  EnumSet.of(Permission.CONSISTENT_READ));
            });
  }

  private static byte[] content() {
    byte[] content = new byte[SIZE];
    new Random(1).nextBytes(content);
    return content;
  }

  @AfterAll
  static void close() throws Exception {
    mainLoop.control(
        "close",
        () -> {
          backend.close();
          graph.closeAll();
          return null;
        });
    ioThread.close();
    mainLoop.close();
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
            | ((bytes[0] & NbdSeeds.READ_ONLY) != 0 ? TransmissionFlags.READ_ONLY : 0)
            | (style == HeaderStyle.EXTENDED ? TransmissionFlags.BLOCK_STATUS_PAYLOAD : 0);
    List<MetaContext> contexts =
        style == HeaderStyle.SIMPLE
            ? List.of()
            : List.of(new MetaContext.Allocation(0), new MetaContext.AllocationDepth(1));
    BlockSizes sizes =
        (bytes[0] & NbdSeeds.ALIGNED) != 0
            ? new BlockSizes(512, 4096, 32 << 20)
            : BlockSizes.DEFAULT;
    FuzzStream stream = new FuzzStream(bytes, 2, Byte.toUnsignedInt(bytes[1]));
    NbdConnection connection =
        new NbdConnection("fuzz", stream, new ClientTerms(style, sizes, flags, contexts), SIZE);
    node.fill(CONTENT);
    AioContext context = ioThread.context();
    BackendLane lane = context.call(() -> backend.openLane(context));
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
    TransmissionModel model =
        new TransmissionModel(
            style, (bytes[0] & NbdSeeds.READ_ONLY) != 0, sizes.minimum(), CONTENT.clone());
    model.run(bytes, 2);
    byte[] said = stream.sent();
    new TransmissionReplies(said, style, model).check();
    model.end(said.length < FuzzStream.KEPT);
    assertTrue(node.holds(model.disk), "other data than were written");
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** What the log says of a driver that a user wrote and that throws. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class DriverLogTest {
  /** Reads fail below 1024, each in its own way; others are well. */
  private static final String DRIVER =
      """
      import dev.spindle.block.plugin.*;
      import java.lang.foreign.MemorySegment;

      class Moody implements DiskDriver {
        public long size() { return 1 << 20; }

        public void read(MemorySegment data, long offset) throws Exception {
          if (offset == 0) {
            throw new IllegalStateException("in a mood");
          } else if (offset == 512) {
            throw new DiskException(28, "meant so");
          }
        }
      }
      """;

  @TempDir private Path folder;
  private final ListAppender<ILoggingEvent> lines = new ListAppender<>();
  private final Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);

  @BeforeEach
  void listen() {
    lines.start();
    root.addAppender(lines);
  }

  @AfterEach
  void stopListening() {
    root.detachAppender(lines);
  }

  /** One request. */
  private static final class Read extends BlockRequest {
    final CompletableFuture<Integer> result = new CompletableFuture<>();

    Read(long offset, Arena arena) {
      super(1);
      operation = Operation.READ;
      this.offset = offset;
      length = 512;
      buffers.add(arena.allocate(512), 0, 512);
    }

    @Override
    protected void completed(int status) {
      result.complete(status);
    }
  }

  @Test
  void whatADriverThrowsIsLoggedOnceUntilItIsWellAgain() throws Exception {
    Path source = Files.writeString(folder.resolve("Moody.java"), DRIVER);
    try (MainLoop mainLoop = MainLoop.start();
        Arena arena = Arena.ofShared()) {
      BlockGraph graph = new BlockGraph(mainLoop);
      AioContext context = mainLoop.context();
      BackendUser user = () -> "test";
      BlockBackend backend =
          mainLoop.<BlockBackend, Exception>control(
              "open",
              () -> {
                BlockNode node =
                    graph.open(
                        new Options(
                            "test",
                            Map.of(
                                "driver", "java", "node-name", "d", "source", source.toString())));
                return new BlockBackend(
                    node, user, EnumSet.of(Permission.CONSISTENT_READ), Permission.all());
              });
      BackendLane lane = context.call(() -> backend.openLane(context));
      int[] expected = {-Errno.EIO, -Errno.EIO, -Errno.ENOSPC, 0, -Errno.EIO};
      long[] offsets = {0, 0, 512, 1024, 0};
      for (int i = 0; i < offsets.length; i++) {
        Read read = new Read(offsets[i], arena);
        context.execute(() -> lane.submit(read));
        assertEquals(expected[i], read.result.join());
      }
      context.call(
          () -> {
            lane.close();
            return null;
          });
      mainLoop.<Void, Exception>control(
          "close",
          () -> {
            backend.close();
            graph.closeAll();
            return null;
          });
    }
    assertEquals(
        List.of("node 'd': the driver failed a READ", "node 'd': the driver failed a READ"),
        lines.list.stream().map(ILoggingEvent::getFormattedMessage).toList());
    String thrown = lines.list.getFirst().getThrowableProxy().getMessage();
    assertEquals("in a mood", thrown);
    StackTraceElement place =
        lines
            .list
            .getFirst()
            .getThrowableProxy()
            .getStackTraceElementProxyArray()[0]
            .getStackTraceElement();
    assertTrue(place.toString().endsWith("Moody.read(Moody.java:9)"), place::toString);
  }
}

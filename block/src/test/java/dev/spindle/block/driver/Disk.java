// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;

/** A node with a backend and one iothread, for tests that do I/O through the real thing. */
public final class Disk implements AutoCloseable {
  public final MainLoop mainLoop;
  public final BlockGraph graph;
  public final IoThread ioThread;
  public final BlockNode node;
  public final BlockBackend backend;
  private final BackendLane lane;

  public Disk(String description) throws Exception {
    this(description, List.of());
  }

  /** With objects that the description refers to. */
  public Disk(String description, List<UserObject> objects) throws Exception {
    this.mainLoop = MainLoop.start();
    this.graph = new BlockGraph(mainLoop);
    this.ioThread = IoThread.start("io0", ContextOptions.IOTHREAD);
    try {
      this.node =
          mainLoop.control(
              "open",
              () -> {
                for (UserObject object : objects) {
                  graph.objects().add(object);
                }
                return graph.open(options(description));
              });
      BackendUser user = () -> "test";
      this.backend =
          mainLoop.control(
              "attach",
              () ->
                  new BlockBackend(
                      node,
                      user,
                      node.readOnly()
                          ? EnumSet.of(Permission.CONSISTENT_READ)
                          : EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE),
                      EnumSet.of(Permission.CONSISTENT_READ)));
      AioContext context = ioThread.context();
      this.lane = context.call(() -> backend.openLane(context));
    } catch (Exception e) {
      ioThread.close();
      mainLoop.close();
      throw e;
    }
  }

  /** Makes an image of zeroes, or changes the length of the one there is. */
  public static Path image(Path directory, long size) throws IOException {
    Path image = directory.resolve("disk.img");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(size);
    }
    return image;
  }

  public static Options options(String description) throws OptionException {
    return new Options("--blockdev", KeyValues.parse("--blockdev", description, null));
  }

  public int run(TestRequest request) {
    lane.context().execute(() -> lane.submit(request));
    return request.result.join();
  }

  public BackendLane lane() {
    return lane;
  }

  @Override
  public void close() throws IOException {
    lane.context()
        .call(
            () -> {
              lane.close();
              return null;
            });
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
}

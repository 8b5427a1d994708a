// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.Options;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** A front end's node with a user who has lanes on some iothreads. */
final class FrontEndFixture implements AutoCloseable {
  final MainLoop mainLoop;
  final BlockGraph graph;
  final BlockNode node;
  final BlockBackend backend;
  private final List<IoThread> ioThreads = new ArrayList<>();
  final List<BackendLane> lanes = new ArrayList<>();

  /** A request that can be waited for. */
  static final class Request extends BlockRequest {
    final CompletableFuture<Integer> result = new CompletableFuture<>();

    Request(Operation operation, long offset, long length) {
      super(64);
      this.operation = operation;
      this.offset = offset;
      this.length = length;
    }

    Request buffer(MemorySegment memory) {
      buffers.add(memory, 0, memory.byteSize());
      return this;
    }

    @Override
    protected void completed(int status) {
      if (!result.complete(status)) {
        throw new AssertionError("completed twice");
      }
    }
  }

  /** Opens {@code blockdev}, with a lane on each of {@code threads} iothreads. */
  FrontEndFixture(String blockdev, int threads) throws Exception {
    mainLoop = MainLoop.start();
    graph = new BlockGraph(mainLoop);
    try {
      node = mainLoop.control("open", () -> graph.open(options(blockdev)));
      BackendUser user = () -> "test";
      EnumSet<Permission> used =
          node.readOnly()
              ? EnumSet.of(Permission.CONSISTENT_READ)
              : EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE);
      backend =
          mainLoop.control("attach", () -> new BlockBackend(node, user, used, Permission.all()));
      for (int i = 0; i < threads; i++) {
        IoThread thread = IoThread.start("io" + i, ContextOptions.IOTHREAD);
        ioThreads.add(thread);
        AioContext context = thread.context();
        lanes.add(context.call(() -> backend.openLane(context)));
      }
    } catch (Exception e) {
      ioThreads.forEach(IoThread::close);
      mainLoop.close();
      throw e;
    }
  }

  /** The number of an iothread's Java thread, for the JVM's own statistics. */
  long threadId(int lane) {
    return ioThreads.get(lane).threadId();
  }

  static Options options(String blockdev) throws Exception {
    return new Options("--blockdev", KeyValues.parse("--blockdev", blockdev, null));
  }

  Request send(int lane, Request request) {
    BackendLane to = lanes.get(lane);
    to.context().execute(() -> to.submit(request));
    return request;
  }

  int run(int lane, Request request) {
    return send(lane, request).result.join();
  }

  int read(int lane, long offset, MemorySegment memory) {
    return run(
        lane, new Request(BlockRequest.Operation.READ, offset, memory.byteSize()).buffer(memory));
  }

  int write(int lane, long offset, MemorySegment memory) {
    return run(
        lane, new Request(BlockRequest.Operation.WRITE, offset, memory.byteSize()).buffer(memory));
  }

  int run(int lane, BlockRequest.Operation operation, long offset, long length) {
    return run(lane, new Request(operation, offset, length));
  }

  static MemorySegment bytes(byte[] contents) {
    MemorySegment memory = Arena.ofAuto().allocate(contents.length, 4096);
    MemorySegment.copy(contents, 0, memory, ValueLayout.JAVA_BYTE, 0, contents.length);
    return memory;
  }

  @Override
  public void close() throws Exception {
    for (BackendLane lane : lanes) {
      lane.context()
          .call(
              () -> {
                lane.close();
                return null;
              });
    }
    mainLoop.<Void, Exception>control(
        "close",
        () -> {
          backend.close();
          graph.closeAll();
          return null;
        });
    ioThreads.forEach(IoThread::close);
    mainLoop.close();
  }
}

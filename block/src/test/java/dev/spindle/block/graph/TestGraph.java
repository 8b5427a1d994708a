// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextCall;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.options.Options;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** A main loop, two iothreads, and nodes and users for a test to put together. */
public final class TestGraph implements AutoCloseable {
  public static final Set<Permission> READ = EnumSet.of(Permission.CONSISTENT_READ);
  public static final Set<Permission> READ_WRITE =
      EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE);

  public final MainLoop mainLoop = MainLoop.start();
  public final IoThread io0 = IoThread.start("io0", ContextOptions.IOTHREAD);
  public final IoThread io1 = IoThread.start("io1", ContextOptions.IOTHREAD);
  public final BlockGraph graph = new BlockGraph(mainLoop);
  private final List<BackendLane> lanes = new ArrayList<>();

  public TestGraph() throws Exception {}

  /** A user who notes what he is told, and follows anywhere unless told not to. */
  public static class User implements BackendUser {
    final String name;
    public final List<String> events = new ArrayList<>();
    public boolean stays;

    public User(String name) {
      this.name = name;
    }

    @Override
    public String describe() {
      return "user '" + name + "'";
    }

    @Override
    public Runnable drainedBegin() {
      events.add("begin");
      return () -> events.add("stopped");
    }

    @Override
    public void drainedEnd() {
      events.add("end");
    }

    @Override
    public void prepareContextChange(AioContext target, ContextChange change)
        throws BlockException {
      if (stays) {
        BackendUser.super.prepareContextChange(target, change);
      }
    }
  }

  /** Runs control work that returns nothing. */
  @FunctionalInterface
  public interface Work {
    void run() throws Exception;
  }

  public void control(Work work) throws Exception {
    mainLoop.<Void, Exception>control(
        "test",
        () -> {
          work.run();
          return null;
        });
  }

  public <T> T get(ContextCall<T, Exception> work) throws Exception {
    return mainLoop.control("test", work);
  }

  public TestNode node(String name) {
    return graph.add(new TestNode(name, mainLoop.context()));
  }

  public TestNode node(String name, BlockNode child, Set<ChildRole> roles) throws Exception {
    TestNode node = node(name);
    control(() -> node.over(child, "file", roles));
    return node;
  }

  public TestNode filter(String name, BlockNode child) throws Exception {
    return node(name, child, ChildRole.FILTER);
  }

  /** Opens a node as a user describes it. */
  public BlockNode open(String description) throws Exception {
    return get(() -> graph.open(Disk.options(description)));
  }

  /** Reopens nodes as a user describes them, all in one call. */
  public void reopen(String... descriptions) throws Exception {
    List<Options> options = new ArrayList<>();
    for (String description : descriptions) {
      options.add(Disk.options(description));
    }
    control(() -> graph.reopen(options));
  }

  /** Runs control work that must be refused, and change nothing; returns what the refusal says. */
  public String refusal(Work work) throws Exception {
    String before = picture();
    Exception refusal = assertThrows(Exception.class, () -> control(work));
    assertEquals(before, picture());
    return refusal.getMessage();
  }

  /** As {@link #reopen}, which must be refused. */
  public String reopenRefusal(String... descriptions) throws Exception {
    String before = picture();
    Exception refusal = assertThrows(Exception.class, () -> reopen(descriptions));
    assertEquals(before, picture());
    return refusal.getMessage();
  }

  /** Uses a node by a user of that name, for reading and, where it is not read-only, writing. */
  public BlockBackend use(BlockNode node, String user) throws Exception {
    Set<Permission> used = node.readOnly() ? READ : READ_WRITE;
    return get(() -> new BlockBackend(node, new User(user), used, Permission.all()));
  }

  public BlockBackend use(BlockNode node, BackendUser user) throws Exception {
    return get(() -> new BlockBackend(node, user, READ, Permission.all()));
  }

  public BackendLane lane(BlockBackend backend, IoThread thread) {
    AioContext context = thread.context();
    BackendLane lane = context.call(() -> backend.openLane(context));
    lanes.add(lane);
    return lane;
  }

  /** Sends a flush and returns when it is on its way, or is held. */
  public static TestRequest send(BackendLane lane) {
    return send(lane, TestRequest.range(BlockRequest.Operation.FLUSH, 0, 0));
  }

  /** Sends a request and returns when it is on its way, or is held. */
  public static TestRequest send(BackendLane lane, TestRequest request) {
    lane.context()
        .call(
            () -> {
              lane.submit(request);
              return null;
            });
    return request;
  }

  /** Sends a request and waits for its end; returns its result. */
  public static int run(BackendLane lane, TestRequest request) {
    return send(lane, request).result.join();
  }

  /** The first bytes that a lane's user sees. */
  public static byte[] read(BackendLane lane, int bytes) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(bytes, 4096);
      TestRequest read = TestRequest.transfer(BlockRequest.Operation.READ, 0, buffer);
      assertEquals(0, run(lane, read));
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  /** Everything that a refused change must leave as it was. */
  public String picture() throws Exception {
    StringBuilder picture = new StringBuilder();
    control(
        () -> {
          for (BlockNode node : graph.nodes()) {
            picture.append(
                "%s on %s, %d sections, read-only %s, %d bytes%n"
                    .formatted(
                        node.name(),
                        node.context().name(),
                        node.quiesceDepth(),
                        node.readOnly(),
                        node.length()));
            describe(picture, "parent", node.parents());
            describe(picture, "child", node.children());
          }
        });
    return picture.toString();
  }

  private static void describe(StringBuilder picture, String side, List<BlockEdge> edges) {
    for (BlockEdge edge : edges) {
      picture.append(
          "  %s %s: %s -> %s uses %s shares %s%n"
              .formatted(
                  side,
                  edge.name(),
                  edge.parent().describe(),
                  edge.node().name(),
                  sorted(edge.used()),
                  sorted(edge.shared())));
    }
  }

  /** EnumSet prints in order. */
  private static Set<Permission> sorted(Set<Permission> permissions) {
    Set<Permission> result = EnumSet.noneOf(Permission.class);
    result.addAll(permissions);
    return result;
  }

  /** Closes a lane before the test ends. */
  public void closeLane(BackendLane lane) {
    lanes.remove(lane);
    lane.context()
        .call(
            () -> {
              lane.close();
              return null;
            });
  }

  @Override
  public void close() throws Exception {
    List.copyOf(lanes).forEach(this::closeLane);
    io0.close();
    io1.close();
    mainLoop.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * A node whose every answer a test decides. With a child it passes requests on; without one it is a
 * disk that completes them at once, or keeps them until the test lets them go.
 */
public final class TestNode extends BlockNode {
  /** A request that the node keeps, and where it came from. */
  public record Kept(BlockRequest request, AioContext context) {
    public void complete(int result) {
      context.execute(() -> request.complete(result));
    }
  }

  public final AtomicInteger submitted = new AtomicInteger();
  public final AtomicInteger openLanes = new AtomicInteger();
  public final ConcurrentLinkedQueue<Kept> kept = new ConcurrentLinkedQueue<>();
  public final List<String> events = new CopyOnWriteArrayList<>();
  public volatile boolean keeps;
  public volatile boolean readOnly;
  public volatile Runnable onDrainedEnd = () -> {};

  /** Told when somebody begins to wait for what was submitted; may throw. */
  volatile Runnable onHurry = () -> {};

  /** Told of each callback by its name before anything else; may throw. */
  public volatile Consumer<String> onCallback = callback -> {};

  volatile long lastOffset;
  String refusesContext;
  public String refusesPermissions;
  String refusesReopen;
  Set<Permission> used = Set.of();
  Set<Permission> shared = Set.of();
  String label = "";
  boolean closed;

  public TestNode(String name, AioContext home) {
    super(name, "test", home);
  }

  /** Gives it a child while nobody uses it. */
  public BlockEdge over(BlockNode child, String edgeName, Set<ChildRole> roles)
      throws BlockException {
    return attachChild(child, edgeName, roles);
  }

  @Override
  public long length() {
    return 1 << 20;
  }

  @Override
  public boolean readOnly() {
    return readOnly;
  }

  @Override
  public BlockLimits limits() {
    return BlockLimits.NONE;
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    onCallback.accept("makeLane");
    BlockLane below = children().isEmpty() ? null : children().getFirst().node().openLane(context);
    openLanes.incrementAndGet();
    return new BlockLane(below == null ? new BlockLane[0] : new BlockLane[] {below}) {
      @Override
      public void submit(BlockRequest request, long offset) {
        onCallback.accept("submit");
        lastOffset = offset;
        submitted.incrementAndGet();
        if (keeps) {
          kept.add(new Kept(request, context));
        } else if (below != null) {
          below.submit(request, offset);
        } else {
          request.complete(0);
        }
      }

      @Override
      protected void hurried(boolean on) {
        if (on) {
          onHurry.run();
        }
      }

      @Override
      public void close() {
        openLanes.decrementAndGet();
        if (below != null) {
          below.close();
        }
      }
    };
  }

  @Override
  protected Runnable drainedBegin() {
    onCallback.accept("drainedBegin");
    events.add("begin");
    return () -> {
      onCallback.accept("awaitStill");
      events.add("still");
    };
  }

  @Override
  protected void drainedEnd() {
    events.add("end");
    onDrainedEnd.run();
  }

  @Override
  protected void checkContextChange(AioContext target) throws BlockException {
    onCallback.accept("checkContextChange");
    if (refusesContext != null) {
      throw new BlockException(refusesContext);
    }
  }

  @Override
  protected Transaction.Action preparePermissions(
      Set<Permission> nextUsed, Set<Permission> nextShared) throws BlockException {
    onCallback.accept("preparePermissions");
    if (refusesPermissions != null) {
      throw new BlockException(refusesPermissions);
    }
    return new Transaction.Action() {
      @Override
      public void commit() {
        used = nextUsed;
        shared = nextShared;
      }
    };
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    String beforeLabel = label;
    boolean beforeReadOnly = readOnly;
    String nextLabel = options.string("label").orElse("");
    boolean nextReadOnly = options.bool("read-only", false);
    if (options.peek("file").isPresent()) {
      links.redirect(children().getFirst(), graph.find(options.require("file")));
    }
    onCallback.accept("prepareReopen");
    if (refusesReopen != null) {
      throw new BlockException(refusesReopen);
    }
    label = nextLabel;
    readOnly = nextReadOnly;
    return new Transaction.Action() {
      @Override
      public void abort() {
        label = beforeLabel;
        readOnly = beforeReadOnly;
      }
    };
  }

  @Override
  protected void settle() {
    onCallback.accept("settle");
  }

  @Override
  public void close() {
    closed = true;
    detachChildren();
  }
}

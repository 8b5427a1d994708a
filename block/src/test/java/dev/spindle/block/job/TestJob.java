// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** A job that works until the test ends it, notes its callbacks, and fails where the test wants. */
final class TestJob extends JobDriver {
  final List<String> calls = new CopyOnWriteArrayList<>();

  /** Names of the threads' contexts in which it read, in order, without repetitions. */
  final List<String> contexts = new CopyOnWriteArrayList<>();

  final AtomicLong rounds = new AtomicLong();
  final BlockNode[] nodes;
  JobBackend[] backends;

  /** Whether it is ready before it goes on. */
  boolean becomesReady;

  /** Whether a cancellation without force, when ready, lets it end well. */
  boolean endsWellWhenReady;

  /** Whether it reads without end, rather than sleep. */
  boolean reads;

  /** A link that it relies on. */
  BlockEdge link;

  String failsToOpen;
  volatile String failsToPrepare;
  volatile Runnable onPrepare = () -> {};
  volatile Runnable onAbort = () -> {};
  volatile Runnable onCancel = () -> {};

  /** Told of each callback of the end before it does anything, and of opening after it did. */
  volatile Consumer<String> onEnd = what -> {};

  private volatile boolean over;
  private volatile String failure;

  TestJob(BlockNode... nodes) {
    this.nodes = nodes;
  }

  TestJob becomingReady() {
    becomesReady = true;
    return this;
  }

  TestJob reading() {
    reads = true;
    return this;
  }

  /** Has the work end well. */
  void succeed() {
    over = true;
    kick();
  }

  /** Lets go of the nodes before the rest of the end. */
  void giveBackNodes() {
    releaseNodes();
  }

  /** Has the work end badly. */
  void fail(String why) {
    failure = why;
    succeed();
  }

  @Override
  protected String type() {
    return "test";
  }

  @Override
  protected void open() throws BlockException {
    backends = new JobBackend[nodes.length];
    for (int i = 0; i < nodes.length; i++) {
      backends[i] = hold(nodes[i], EnumSet.of(Permission.CONSISTENT_READ), Permission.all());
    }
    if (link != null) {
      freeze(link);
    }
    onEnd.accept("open");
    if (failsToOpen != null) {
      throw new BlockException(failsToOpen);
    }
  }

  @Override
  protected void run() throws BlockException {
    calls.add("run");
    if (becomesReady) {
      ready();
    }
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(512, 512);
      while (!over) {
        if (reads) {
          read(buffer);
          if (!over) {
            sleep(0);
          }
        } else {
          sleep(Long.MAX_VALUE);
        }
        rounds.incrementAndGet();
      }
    }
    calls.add("done");
    if (failure != null) {
      throw new BlockException(failure);
    }
  }

  private void read(MemorySegment buffer) throws BlockException {
    for (JobBackend backend : backends) {
      backend.lane().context().assertOwner();
      String context = backend.lane().context().name();
      if (contexts.isEmpty() || !contexts.getLast().equals(context)) {
        contexts.add(context);
      }
      int result = backend.read(0, buffer);
      if (result < 0 && sourceError(false, -result) == ErrorAction.REPORT) {
        throw new BlockException("read failed");
      }
    }
  }

  @Override
  protected void paused() {
    calls.add("paused");
  }

  @Override
  protected void resumed() {
    calls.add("resumed");
  }

  @Override
  protected void complete() throws BlockException {
    if (!becomesReady) {
      super.complete();
    }
    calls.add("complete");
    succeed();
  }

  @Override
  protected boolean cancel(boolean force) {
    calls.add(force ? "cancel by force" : "cancel");
    onCancel.run();
    if (!force && endsWellWhenReady && calls.contains("run")) {
      over = true;
      return false;
    }
    return true;
  }

  @Override
  protected void prepare() throws BlockException {
    calls.add("prepare");
    onEnd.accept("prepare");
    onPrepare.run();
    if (failsToPrepare != null) {
      throw new BlockException(failsToPrepare);
    }
  }

  @Override
  protected void commit() {
    calls.add("commit");
    onEnd.accept("commit");
  }

  @Override
  protected void abort() {
    calls.add("abort");
    onEnd.accept("abort");
    onAbort.run();
  }

  @Override
  protected void clean() {
    calls.add("clean");
    onEnd.accept("clean");
  }
}

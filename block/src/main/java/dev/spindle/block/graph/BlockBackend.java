// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A user's hold on the root of a graph (QEMU's BlockBackend): who uses the disk, with which
 * permissions, and its I/O, one {@link BackendLane} for each context it comes from.
 */
public final class BlockBackend {
  private final BlockEdge root;
  private final List<BackendLane> lanes = new CopyOnWriteArrayList<>();
  private volatile boolean writeThrough;
  private int quiesceDepth;

  /**
   * Takes hold of a node. Control side.
   *
   * @param user who uses it; named in errors, and asked when the node changes context
   * @throws BlockException if the node's other users, in this process or another, do not share it
   *     so
   */
  public BlockBackend(
      BlockNode node, BlockParent user, Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    if (node.readOnly() && used.contains(Permission.WRITE)) {
      throw new BlockException("Block node is read-only");
    }
    this.root = new BlockEdge(user, "root", node, used, shared);
    node.addParent(root);
  }

  /** The node it uses. Any thread. */
  public BlockNode node() {
    return root.node();
  }

  /** How errors name its user. */
  public String describe() {
    return root.parent().describe();
  }

  /**
   * Whether each write is on stable storage before it completes ({@code write-cache=off}). Any
   * thread; requests submitted afterwards obey.
   */
  public void setWriteThrough(boolean on) {
    writeThrough = on;
  }

  /** See {@link #setWriteThrough}. Any thread. */
  public boolean writeThrough() {
    return writeThrough;
  }

  /** Opens the way for I/O from the caller's context. On that context. */
  public BackendLane openLane(AioContext context) {
    context.assertOwner();
    BackendLane lane = new BackendLane(this, context);
    lanes.add(lane);
    return lane;
  }

  void forget(BackendLane lane) {
    lanes.remove(lane);
  }

  /**
   * Holds back this backend's requests, and waits until those it sent are done. Sections nest.
   * Nobody else's requests are touched. Control side; waits.
   */
  public void quiesceBegin() {
    quiesceDepth++;
    if (quiesceDepth > 1) {
      return;
    }
    List<CompletableFuture<Void>> idle =
        lanes.stream()
            .map(
                lane -> {
                  CompletableFuture<Void> done = new CompletableFuture<>();
                  lane.context().execute(() -> lane.quiesce(() -> done.complete(null)));
                  return done;
                })
            .toList();
    idle.forEach(CompletableFuture::join);
  }

  /** Ends a section; the last end lets go what was held, in order. Control side; never waits. */
  public void quiesceEnd() {
    quiesceDepth--;
    if (quiesceDepth > 0) {
      return;
    }
    for (BackendLane lane : lanes) {
      lane.context().execute(lane::resume);
    }
  }

  /**
   * Waits for every request that this backend sent; what arrives meanwhile goes on afterwards.
   * Control side.
   */
  public void drain() {
    quiesceBegin();
    quiesceEnd();
  }

  /**
   * Makes all that was written durable. Control side; waits.
   *
   * @return 0, or a negated errno
   */
  public int flush(AioContext mainContext) {
    AwaitedRequest request = new AwaitedRequest(BlockRequest.Operation.FLUSH);
    BackendLane lane = mainContext.call(() -> openLane(mainContext));
    mainContext.execute(() -> lane.submit(request));
    int result = request.await();
    lane.close();
    return result;
  }

  /** Lets go of the node. Its lanes are closed. Control side. */
  public void close() {
    if (!lanes.isEmpty()) {
      throw new IllegalStateException(describe() + " is closed with lanes open");
    }
    root.node().removeParent(root);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BackingLayer;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.job.CopyJob;
import dev.spindle.block.job.JobBackend;
import dev.spindle.block.job.WriteAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Copies what some images in the middle of a chain hold down into the one below them, and has those
 * above stand on that one (QAPI's block-commit below the active layer).
 */
final class CommitJob extends CopyJob {
  /** What is copied at once, bytes. */
  private static final int PIECE = 1 << 20;

  private final BackingChain chain;
  private final CommitOptions options;
  private final WriteAccess access;

  /** To the images above, which have to name the base. */
  private final WriteAccess headers;

  private final List<JobBackend> layers = new ArrayList<>();
  private CommitFilter filter;

  /** How much of the base is seen from above once the top is gone, bytes. */
  private long visible;

  // Control side.
  private Transaction end;
  private boolean shortened;

  /**
   * What is to be copied down.
   *
   * @param chain from the top to the base
   */
  CommitJob(BlockGraph graph, BackingChain chain, CommitOptions options) {
    super(graph, chain.top(), chain.bottom());
    this.chain = chain;
    this.options = options;
    this.access = new WriteAccess(graph);
    this.headers = new WriteAccess(graph);
  }

  @Override
  protected String type() {
    return "commit";
  }

  @Override
  protected void open() throws BlockException {
    for (BlockNode node : chain.nodes()) {
      claim(node);
    }
    claimBoth();
    String name = graph.newName(options.filterNodeName());
    access.take(target);
    try {
      filter = graph.add(new CommitFilter(name, source));
      claim(filter);
      filter.insert(target);
      holdNodes();
      visible = visible();
    } catch (BlockException | RuntimeException | Error e) {
      takeAway(null);
      throw e;
    }
    filter.links().forEach(this::freeze);
    chain.links().forEach(this::freeze);
  }

  private void holdNodes() throws BlockException {
    from = hold(source, Permission.none(), Permission.all());
    to = hold(target, Permission.none(), Permission.all());
    for (BlockNode node : chain.images()) {
      if (node != BackingChain.image(target)) {
        layers.add(hold(node, Permission.none(), Permission.all()));
      }
    }
    growTarget();
  }

  private long visible() {
    long longest = 0;
    for (BlockEdge user : filter.parents()) {
      if (user.parent() instanceof BlockNode overlay) {
        longest = Math.max(longest, overlay.length());
      }
    }
    return Math.min(longest, target.length());
  }

  @Override
  protected void run() throws BlockException {
    long size = source.length();
    remaining(Math.max(size, visible));
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(PIECE, 4096);
      for (long offset = 0; offset < size; ) {
        long run = BackingLayer.allocatedIn(layers, offset, size - offset);
        if (run > 0) {
          run = Math.min(run, PIECE);
          if (!copy(offset, buffer.asSlice(0, run))) {
            continue;
          }
        }
        progress(Math.abs(run));
        offset += Math.abs(run);
        limit(Math.max(run, 0));
      }
      clearRest(size, buffer.fill((byte) 0));
    }
    flushTarget();
  }

  /** An overlay that is longer than the top sees zeroes there, and is to see them in the base. */
  private void clearRest(long size, MemorySegment zeroes) throws BlockException {
    for (long offset = size; offset < visible; ) {
      long run = Math.min(visible - offset, PIECE);
      int result = to.write(offset, zeroes.asSlice(0, run));
      if (result < 0) {
        failed(true, -result);
      } else {
        progress(run);
        offset += run;
        limit(run);
      }
    }
  }

  /** Returns whether it succeeded, or is to be tried again. */
  private boolean copy(long offset, MemorySegment data) throws BlockException {
    int read = from.read(offset, data);
    if (read < 0) {
      failed(false, -read);
      return false;
    }
    int written = to.write(offset, data);
    if (written < 0) {
      failed(true, -written);
      return false;
    }
    return true;
  }

  @Override
  protected void prepare() throws BlockException {
    ChainChange change = new ChainChange();
    for (BlockEdge user : filter.parents()) {
      if (user.roles().contains(ChildRole.COW) && user.parent() instanceof BlockNode overlay) {
        headers.take(overlay);
        change.name(overlay, Optional.of(BackingNames.of(overlay, target, options.backingFile())));
      }
    }
    change.replace(filter, target);
    filter.stop();
    end = change.begin();
  }

  @Override
  protected void commit() {
    end.commit();
    shortened = true;
  }

  @Override
  protected void abort() {
    try {
      if (end != null) {
        end.abort();
      }
    } finally {
      if (filter != null) {
        removeFilter();
      }
    }
  }

  private void removeFilter() {
    filter.stop();
    GraphChange change = new GraphChange();
    change.replace(filter, source);
    try {
      change.run();
    } catch (BlockException e) {
      throw new IllegalStateException("the top of a commit cannot be used as before", e);
    }
  }

  @Override
  protected void clean() {
    try {
      releaseNodes();
    } finally {
      closeFilter(filter);
      headers.giveBack();
      access.giveBack();
    }
    if (shortened) {
      chain.nodes().stream().filter(node -> node != target).forEach(graph::closeUnused);
    }
  }
}

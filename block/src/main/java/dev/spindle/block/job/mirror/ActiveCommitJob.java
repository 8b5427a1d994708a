// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BackingLayer;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.JobBackend;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.SyncMode;
import dev.spindle.block.job.WriteAccess;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Copies what a disk holds above one of its backing files down into that one, and keeps it up to
 * date (QAPI's block-commit of the active layer). Once it is ready, completing it puts the backing
 * file in the disk's place; cancelling it without force leaves the disk on its chain.
 */
public final class ActiveCommitJob extends MirrorJob {
  private final BackingChain chain;
  private final WriteAccess access;
  private final List<JobBackend> layers = new ArrayList<>();
  private boolean committed;

  /**
   * What is to be copied down. Control side; {@link dev.spindle.block.job.Jobs#create} does the
   * rest.
   *
   * @param chain from the disk to the backing file that gets the data
   * @param filterNodeName {@code filter-node-name}: of the filter that stands before the disk
   */
  public ActiveCommitJob(
      BlockGraph graph, BackingChain chain, JobOptions job, Optional<String> filterNodeName) {
    super(graph, chain.top(), chain.bottom(), options(job, filterNodeName));
    this.chain = chain;
    this.access = new WriteAccess(graph);
  }

  private static MirrorOptions options(JobOptions job, Optional<String> filterNodeName) {
    MirrorOptions plain = MirrorOptions.of(job, SyncMode.NONE, CopyMode.BACKGROUND);
    return new MirrorOptions(
        job,
        SyncMode.NONE,
        plain.bitmap(),
        plain.bitmapMode(),
        plain.copyMode(),
        plain.granularity(),
        plain.bufSize(),
        filterNodeName);
  }

  @Override
  protected String type() {
    return "commit";
  }

  @Override
  protected void open() throws BlockException {
    access.take(target);
    try {
      super.open();
    } catch (BlockException | RuntimeException | Error e) {
      access.giveBack();
      throw e;
    }
  }

  @Override
  void checkTarget() {}

  @Override
  MirrorFilter makeFilter(String name) {
    return new MirrorFilter(name, source, state(), true);
  }

  @Override
  void holdNodes() throws BlockException {
    for (BlockNode node : chain.nodes()) {
      claim(node);
    }
    claim(filter());
    from = hold(source, Permission.none(), Permission.all());
    to = hold(target, Permission.none(), Permission.all());
    for (BlockNode node : chain.images()) {
      if (node != BackingChain.image(target)) {
        layers.add(hold(node, Permission.none(), Permission.all()));
      }
    }
    growTarget();
    for (BlockEdge link : chain.links()) {
      freeze(link);
    }
  }

  @Override
  void findFirst() throws BlockException {
    long size = source.length();
    for (long offset = 0; offset < size; ) {
      long run = BackingLayer.allocatedIn(layers, offset, size - offset);
      if (run > 0) {
        state().mark(offset, run);
      }
      offset += Math.abs(run);
      sleep(0);
    }
  }

  @Override
  protected void commit() {
    super.commit();
    committed = true;
  }

  @Override
  protected void clean() {
    try {
      super.clean();
    } finally {
      boolean pivoted = committed && target.parents().stream().anyMatch(this::isUser);
      if (pivoted) {
        chain.nodes().forEach(this::closeUnused);
      } else {
        access.giveBack();
      }
    }
  }

  /** Whether somebody uses the target otherwise than through the chain. */
  private boolean isUser(BlockEdge user) {
    return !chain.links().contains(user);
  }

  private void closeUnused(BlockNode node) {
    if (node != target) {
      graph.closeUnused(node);
    }
  }
}

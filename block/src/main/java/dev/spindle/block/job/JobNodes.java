// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The nodes that a job holds, and the job as their user: a section makes it stand still, and when
 * one of them moves, all do, and the job with them. Control side, protected by the control lock.
 */
final class JobNodes implements BackendUser {
  private final Jobs jobs;
  private final Job job;
  private final Set<BlockNode> claimed = new LinkedHashSet<>();
  private final List<JobBackend> backends = new ArrayList<>();
  private final List<BlockEdge> frozen = new ArrayList<>();
  private AioContext context;

  /** The change that the job already takes part in: it is asked once for each node. */
  private ContextChange latestChange;

  JobNodes(Jobs jobs, Job job, AioContext mainContext) {
    this.jobs = jobs;
    this.job = job;
    this.context = mainContext;
  }

  AioContext context() {
    return context;
  }

  JobBackend hold(BlockNode node, Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    claim(node);
    AioContext before = node.context();
    if (backends.isEmpty()) {
      context = before;
    } else if (before != context) {
      ContextChange.run(node, context);
    }
    try {
      backends.add(take(node, used, shared));
    } catch (BlockException | RuntimeException | Error e) {
      if (node.context() != before) {
        ContextChange.run(node, before);
      }
      throw e;
    }
    return backends.getLast();
  }

  private JobBackend take(BlockNode node, Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    BlockBackend root = new BlockBackend(node, this, used, shared);
    try {
      return new JobBackend(root, context);
    } catch (RuntimeException | Error e) {
      root.close();
      throw e;
    }
  }

  void claim(BlockNode node) throws BlockException {
    jobs.claim(node, job);
    claimed.add(node);
  }

  void freeze(BlockEdge edge) {
    edge.freeze(describe());
    frozen.add(edge);
  }

  /** Lets go of everything, of each whatever happens to another. */
  void release() {
    frozen.forEach(BlockEdge::unfreeze);
    frozen.clear();
    try {
      closeBackends();
    } finally {
      claimed.forEach(jobs::giveBack);
      claimed.clear();
    }
  }

  private void closeBackends() {
    while (!backends.isEmpty()) {
      try {
        backends.removeLast().close();
      } catch (RuntimeException | Error e) {
        closeBackends();
        throw e;
      }
    }
  }

  @Override
  public String describe() {
    return job.driver.type() + " job '" + job.id() + "'";
  }

  @Override
  public boolean stopsByItself() {
    return true;
  }

  @Override
  public Runnable drainedBegin() {
    jobs.lock();
    try {
      job.pause();
    } finally {
      jobs.unlock();
    }
    return () -> {
      jobs.lock();
      try {
        job.awaitRest();
      } finally {
        jobs.unlock();
      }
    };
  }

  @Override
  public void drainedEnd() {
    jobs.lock();
    try {
      job.resume();
    } finally {
      jobs.unlock();
    }
  }

  @Override
  public void prepareContextChange(AioContext target, ContextChange change) throws BlockException {
    if (latestChange == change) {
      return;
    }
    latestChange = change;
    for (JobBackend backend : backends) {
      change.visit(backend.node());
    }
    change.add(new Move(target));
  }

  /** The job's own part in a move: its lanes, and where its work goes on. */
  private final class Move implements Transaction.Action {
    private final AioContext target;
    private final List<BackendLane> next = new ArrayList<>();
    private final List<BackendLane> unused = new ArrayList<>();

    Move(AioContext target) {
      this.target = target;
      try {
        backends.forEach(backend -> next.add(backend.openLane(target)));
      } catch (RuntimeException | Error e) {
        next.forEach(BackendLane::closeInContext);
        throw e;
      }
    }

    @Override
    public void commit() {
      context = target;
      for (int i = 0; i < next.size(); i++) {
        unused.add(backends.get(i).lead(next.get(i)));
      }
      jobs.lock();
      try {
        job.follow(target);
      } finally {
        jobs.unlock();
      }
    }

    @Override
    public void abort() {
      unused.addAll(next);
    }

    @Override
    public void clean() {
      unused.forEach(BackendLane::closeInContext);
    }
  }
}

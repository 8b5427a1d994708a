// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import java.util.Set;

/**
 * What one job does: the base of every kind. Its callbacks, which kinds override, are called
 * without the job mutex; what it offers to them, the final methods, never makes them know it. "Any
 * thread" is here one that may wait for that mutex: not a context's own, on which requests end and
 * timers run, but any virtual thread.
 *
 * <p>The work is straight-line code in {@link #run}, on a thread of the context in which the job's
 * nodes are. At a pause point the job may stand still for long, and go on in another context, to
 * which its nodes have moved meanwhile.
 */
public abstract class JobDriver {
  private Job job;
  private JobNodes nodes;
  private Jobs jobs;

  final void belongTo(Job newJob, JobNodes newNodes, Jobs newJobs) {
    if (job != null) {
      throw new IllegalStateException("a driver drives one job");
    }
    job = newJob;
    nodes = newNodes;
    jobs = newJobs;
  }

  /** What kind of job it is, as QAPI's JobType spells it. Any thread. */
  protected abstract String type();

  /**
   * Takes hold of nodes, when the job is created. Control side.
   *
   * @throws BlockException if that is not possible; nodes in hold are released
   */
  protected void open() throws BlockException {}

  /**
   * Does the work. On the job's thread.
   *
   * @throws BlockException why the job fails
   */
  protected abstract void run() throws BlockException;

  /** The job is about to stand still: waits until nothing of it is on its way. Job's thread. */
  protected void paused() {}

  /** The job goes on, perhaps in another context. Job's thread. */
  protected void resumed() {}

  /**
   * The user wants a job that is ready to come to its end. Must not wait. Control side.
   *
   * @throws BlockException if it cannot be completed
   */
  protected void complete() throws BlockException {
    throw new BlockException("The active block job '" + job.id() + "' cannot be completed");
  }

  /**
   * The user wants another copy mode. Must not wait. Control side.
   *
   * @throws BlockException if the job has none, or cannot change to it
   */
  protected void change(CopyMode mode) throws BlockException {
    throw new BlockException("Job '" + job.id() + "' does not support change");
  }

  /**
   * The job is being cancelled. Must not wait. Control side.
   *
   * @param force whether by force
   * @return whether it shall fail at its next pause point; or else ends on its own, and well
   */
  protected boolean cancel(boolean force) {
    return true;
  }

  /**
   * The work of all of the transaction succeeded: does what may still fail. Control side; may wait.
   *
   * @throws BlockException why the job, and with it the transaction, fails after all
   */
  protected void prepare() throws BlockException {}

  /** All have succeeded. Control side; may wait. */
  protected void commit() {}

  /** The job, or another of the transaction, failed; or was cancelled. Control side; may wait. */
  protected void abort() {}

  /** Comes after {@link #commit} or {@link #abort}; nodes in hold are then released. */
  protected void clean() {}

  final void cleanUp() {
    try {
      clean();
    } finally {
      releaseNodes();
    }
  }

  /** Lets go of the nodes before the job does it by itself. Control side; waits. */
  protected final void releaseNodes() {
    nodes.release();
  }

  /** The job's id. Any thread. */
  protected final String id() {
    return job.id();
  }

  /** How errors name the job. Any thread. */
  protected final String describe() {
    return nodes.describe();
  }

  /** What the user said of the job. Any thread. */
  protected final JobOptions options() {
    return job.options;
  }

  /** Where the job's nodes are. Control side. */
  protected final AioContext context() {
    return nodes.context();
  }

  /**
   * Takes hold of a node, and makes sure that no other job does. The first one decides the job's
   * context, into which the others are moved. Control side; waits.
   *
   * @param used what the job does with the node
   * @param shared what others may do meanwhile
   * @throws BlockException if another job has the node, its users do not share it so, or it cannot
   *     be in the job's context
   */
  protected final JobBackend hold(BlockNode node, Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    return nodes.hold(node, used, shared);
  }

  /**
   * Makes sure that no other job works on a node with which this one does no I/O of its own: one in
   * the middle of a chain. Control side.
   *
   * @throws BlockException if another job has it
   */
  protected final void claim(BlockNode node) throws BlockException {
    nodes.claim(node);
  }

  /**
   * Has a node, which nobody or the job itself uses, be in a context. Control side; waits.
   *
   * @throws BlockException if it cannot be there
   */
  protected final void bring(BlockNode node, AioContext context) throws BlockException {
    if (node.context() != context) {
      ContextChange.run(node, context);
    }
  }

  /** Keeps a link as it is for as long as the job has its nodes. Control side. */
  protected final void freeze(BlockEdge edge) {
    nodes.freeze(edge);
  }

  /**
   * Stands still here if somebody wants that. Job's thread, with nothing on its way that {@link
   * #paused} does not wait for.
   *
   * @throws JobCancelledException if the job has been cancelled by force: nothing is to be done any
   *     more but to let it through, with no I/O
   */
  protected final void pausePoint() throws JobCancelledException {
    job.pausePoint();
  }

  /**
   * Sleeps, unless there is reason to look around; and is a pause point. Job's thread.
   *
   * @param nanos how long at most; {@link Long#MAX_VALUE} for ever, 0 only to let others have their
   *     turn on the context
   * @throws JobCancelledException as {@link #pausePoint}
   */
  protected final void sleep(long nanos) throws JobCancelledException {
    job.sleep(nanos);
  }

  /**
   * Wakes {@link #sleep} soon; if nobody sleeps then, the next sleep ends at once. Any thread, a
   * context's own as well, since it does not wait.
   */
  protected final void kick() {
    jobs.kick(job);
  }

  /**
   * Counts work against the job's speed limit, and sleeps as long as that demands. Job's thread.
   *
   * @throws JobCancelledException as {@link #pausePoint}
   */
  protected final void limit(long bytes) throws JobCancelledException {
    long nanos;
    jobs.lock();
    try {
      nanos = job.account(bytes);
    } finally {
      jobs.unlock();
    }
    sleep(nanos);
  }

  /** The work is done and will be kept up to date: the job may be completed. Job's thread. */
  protected final void ready() {
    jobs.lock();
    try {
      job.ready();
    } finally {
      jobs.unlock();
    }
  }

  /** Whether somebody wants the job to end, be it well. Any thread. */
  protected final boolean isCancelRequested() {
    jobs.lock();
    try {
      return job.isCancelRequested();
    } finally {
      jobs.unlock();
    }
  }

  /** Some of the work has been done. Any thread. */
  protected final void progress(long done) {
    jobs.lock();
    try {
      job.setProgress(job.current() + done, job.total());
    } finally {
      jobs.unlock();
    }
  }

  /** So much is left to do, and all else that there was has been done. Any thread. */
  protected final void left(long left) {
    jobs.lock();
    try {
      job.setProgress(job.total() - left, job.total());
    } finally {
      jobs.unlock();
    }
  }

  /** So much is left to do, as far as is known. Any thread. */
  protected final void remaining(long left) {
    jobs.lock();
    try {
      job.setProgress(job.current(), job.current() + left);
    } finally {
      jobs.unlock();
    }
  }

  /**
   * An operation on what the job reads from failed: decides what to do. If that is to stop, the job
   * stands still at its next pause point, and tries again afterwards. Any thread.
   *
   * @param errno positive
   */
  protected final ErrorAction sourceError(boolean write, int errno) {
    return ioError(job.options.onSourceError(), write, errno);
  }

  /** As {@link #sourceError}, for what the job writes to. */
  protected final ErrorAction targetError(boolean write, int errno) {
    return ioError(job.options.onTargetError(), write, errno);
  }

  /** As {@link #targetError}, for an error that no policy can make up for. */
  protected final void fatalError(boolean write, int errno) {
    ioError(ErrorPolicy.REPORT, write, errno);
  }

  private ErrorAction ioError(ErrorPolicy policy, boolean write, int errno) {
    jobs.lock();
    try {
      return job.ioError(policy, write, errno);
    } finally {
      jobs.unlock();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextCall;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.NearNames;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The jobs of a machine. One mutex protects the list and every field of every job; whoever holds it
 * does so briefly, and takes no other lock. The control lock comes before it.
 *
 * <p>Whoever takes the mutex may have to wait behind the virtual threads of jobs. So it is taken on
 * virtual threads, as all control work is, or on threads that have no context; never on a context's
 * own thread, which would wait for a virtual thread that it carries itself.
 */
public final class Jobs {
  private static final Logger LOG = LoggerFactory.getLogger(Jobs.class);
  private static final String ID = "[A-Za-z][A-Za-z0-9._-]*";

  private final MainLoop mainLoop;
  private final JobEnding ending = new JobEnding(this);
  private final ReentrantLock mutex = new ReentrantLock();

  /** By id, in the order of creation. Protected by the mutex. */
  private final Map<String, Job> jobs = new LinkedHashMap<>();

  /** Protected by the mutex. */
  private final List<JobListener> listeners = new ArrayList<>();

  /** Which job works on a node. Protected by the control lock. */
  private final Map<BlockNode, Job> claims = new HashMap<>();

  /** No jobs yet; they will be controlled from {@code mainLoop}. */
  public Jobs(MainLoop mainLoop) {
    this.mainLoop = mainLoop;
  }

  /** Has {@code listener} told of what happens from now on. Any thread but a context's. */
  public void listen(JobListener listener) {
    lock();
    try {
      listeners.add(listener);
    } finally {
      unlock();
    }
  }

  /**
   * Takes the mutex, to look at jobs and act on them in one hold. Control side.
   *
   * @return what to look and act with; closing it gives the mutex back
   */
  public JobMonitor monitor() {
    mainLoop.assertControl();
    lock();
    return new JobMonitor(this, ending);
  }

  /**
   * Makes a job, which begins its work with {@link #start}. Control side; waits.
   *
   * @param transaction those it succeeds or fails with; null if it is alone
   * @param driver what it does; new
   * @throws BlockException if the id is no id or in use, or the driver cannot have the nodes that
   *     it needs; there is no such job then
   */
  public void create(JobOptions options, JobTransaction transaction, JobDriver driver)
      throws BlockException {
    mainLoop.assertControl();
    if (options.speed() < 0) {
      throw new BlockException("Parameter 'speed' expects a non-negative value");
    }
    JobTransaction shared = transaction == null ? new JobTransaction() : transaction;
    Job job = new Job(this, options, shared, driver);
    add(job);
    driver.belongTo(job, new JobNodes(this, job, mainLoop.context()), this);
    try {
      driver.open();
    } catch (BlockException | RuntimeException | Error e) {
      withdraw(job);
      throw e;
    }
  }

  /** Forgets a job that could not take hold of its nodes. */
  private void withdraw(Job job) {
    try {
      job.driver.releaseNodes();
    } finally {
      lock();
      try {
        job.transaction.remove(job);
        ending.dismiss(job);
      } finally {
        unlock();
      }
    }
  }

  private void add(Job job) throws BlockException {
    if (!job.id().matches(ID)) {
      throw new BlockException("Invalid job ID '" + job.id() + "'");
    }
    lock();
    try {
      if (jobs.containsKey(job.id())) {
        throw new BlockException("Job ID '" + job.id() + "' already in use");
      }
      jobs.put(job.id(), job);
      job.transaction.add(job);
      job.become(JobStatus.CREATED);
    } finally {
      unlock();
    }
  }

  /** Has a created job begin its work. Control side. */
  public void start(String id) throws BlockException {
    mainLoop.assertControl();
    lock();
    try {
      Job job = find(id);
      job.start(job.driver.context());
    } finally {
      unlock();
    }
  }

  /** Cancels every job and waits until all are over and forgotten. Control side. */
  public void cancelAll() {
    mainLoop.assertControl();
    lock();
    try {
      for (Job job : List.copyOf(jobs.values())) {
        if (!jobs.containsValue(job)) {
          // Went with another of its transaction.
          continue;
        }
        if (job.status() != JobStatus.CONCLUDED) {
          ending.end(job, true);
          if (!job.isCompleted()) {
            job.awaitWorkOver();
            ending.completed(job);
          }
        }
        if (job.status() == JobStatus.CONCLUDED) {
          ending.dismiss(job);
        }
      }
    } finally {
      unlock();
    }
  }

  /** A job's work is over; called by its thread, without the mutex. */
  void workEnded(Job job) {
    mainLoop
        .start(
            "job-end-" + job.id(),
            () -> {
              lock();
              try {
                ending.completed(job);
              } finally {
                unlock();
              }
              return null;
            })
        .whenComplete(
            (nothing, failure) -> {
              if (failure != null) {
                LOG.error("job '{}' could not be ended", job.id(), failure);
              }
            });
  }

  /** As {@link Job#kick}, some time soon. Any thread, without the mutex; does not wait. */
  void kick(Job job) {
    mainLoop
        .context()
        .startVirtual(
            "job-kick-" + job.id(),
            () -> {
              lock();
              try {
                job.kick();
              } finally {
                unlock();
              }
            });
  }

  /** Reserves a node for a job. Control side. */
  void claim(BlockNode node, Job job) throws BlockException {
    Job other = claims.get(node);
    if (other != null && other != job) {
      throw new BlockException(
          "Node '%s' is busy: block device is in use by block job: %s"
              .formatted(node.name(), other.driver.type()));
    }
    claims.put(node, job);
  }

  /** Ends {@link #claim}. Control side. */
  void giveBack(BlockNode node) {
    claims.remove(node);
  }

  void lock() {
    AioContext.assertMayWait();
    mutex.lock();
  }

  void unlock() {
    mutex.unlock();
  }

  boolean isLocked() {
    return mutex.isHeldByCurrentThread();
  }

  Condition newCondition() {
    return mutex.newCondition();
  }

  /** Runs {@code body} without the mutex, which the caller holds once. */
  <T, E extends Exception> T unlocked(ContextCall<T, E> body) throws E {
    unlock();
    try {
      return body.call();
    } finally {
      lock();
    }
  }

  /** Tells the listeners; what they throw is no affair of the job's. With the mutex held. */
  void tell(JobEvent event) {
    for (JobListener listener : listeners) {
      try {
        listener.jobEvent(event);
      } catch (RuntimeException | Error e) {
        LOG.error("{} was not heard", event, e);
      }
    }
  }

  /** The job of an id. With the mutex held. */
  Job find(String id) throws BlockException {
    Job job = jobs.get(id);
    if (job == null) {
      throw new BlockException("Job '" + id + "' not found" + NearNames.hint(id, jobs.keySet()));
    }
    return job;
  }

  /** All of them, in the order of creation. With the mutex held. */
  List<Job> all() {
    return List.copyOf(jobs.values());
  }

  /** With the mutex held. */
  void remove(Job job) {
    jobs.remove(job.id());
  }
}

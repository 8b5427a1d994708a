// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.graph.BlockException;
import java.util.List;

/**
 * What users do with jobs. It stands for the job mutex being held: what one monitor finds is what
 * it acts on, nothing comes in between, except where a verb says that it waits. Control side;
 * belongs to whoever got it from {@link Jobs#monitor}.
 *
 * <p>Every verb refuses an unknown job, and a job in a state that does not accept it.
 */
public final class JobMonitor implements AutoCloseable {
  private final Jobs jobs;
  private final JobEnding ending;

  JobMonitor(Jobs jobs, JobEnding ending) {
    this.jobs = jobs;
    this.ending = ending;
  }

  /** Every job, in the order of creation. */
  public List<JobInfo> query() {
    check();
    return jobs.all().stream().map(Job::info).toList();
  }

  /** One job. */
  public JobInfo query(String id) throws BlockException {
    check();
    return jobs.find(id).info();
  }

  /**
   * Cancels a job. Waits for its work, and for its transaction's, only if its own is over or has
   * not begun.
   *
   * @param force whether it ends at once and fails, also where it could end well: a mirror that is
   *     ready, for one
   */
  public void cancel(String id, boolean force) throws BlockException {
    Job job = find(id, JobVerb.CANCEL);
    if (job.isUserPaused() && !force) {
      throw new BlockException("Job '" + id + "' is paused: resume it first, or cancel by force");
    }
    ending.end(job, force);
  }

  /** Has a job stand still at its next pause point. */
  public void pause(String id) throws BlockException {
    Job job = find(id, JobVerb.PAUSE);
    if (job.isUserPaused()) {
      throw new BlockException("Job '" + id + "' is already paused");
    }
    job.userPause();
  }

  /** Ends {@link #pause}, or the pause that an error has brought. */
  public void resume(String id) throws BlockException {
    Job job = find(id, JobVerb.RESUME);
    if (!job.isUserPaused()) {
      throw new BlockException("Can't resume job '" + id + "', which was not paused");
    }
    job.userResume();
  }

  /**
   * Sets the most bytes per second.
   *
   * @param speed 0 for no limit
   */
  public void setSpeed(String id, long speed) throws BlockException {
    Job job = find(id, JobVerb.SET_SPEED);
    if (speed < 0) {
      throw new BlockException("Parameter 'speed' expects a non-negative value");
    }
    job.setSpeed(speed);
  }

  /**
   * Has a job that is ready end with all that it has to do at last.
   *
   * @throws BlockException also if it has been cancelled, or is not of a kind that can be completed
   */
  public void complete(String id) throws BlockException {
    Job job = find(id, JobVerb.COMPLETE);
    if (job.isCancelRequested()) {
      throw new BlockException("The active block job '" + id + "' cannot be completed");
    }
    jobs.<Void, BlockException>unlocked(
        () -> {
          job.driver.complete();
          return null;
        });
    job.kick();
  }

  /**
   * Has a job copy in another way from now on.
   *
   * @throws BlockException also if it is not of a kind that can
   */
  public void change(String id, CopyMode mode) throws BlockException {
    Job job = find(id, JobVerb.CHANGE);
    jobs.<Void, BlockException>unlocked(
        () -> {
          job.driver.change(mode);
          return null;
        });
  }

  /** Has a job that waits for it, and its transaction, take effect. Waits for what that takes. */
  public void finalizeJob(String id) throws BlockException {
    ending.finalizeAll(find(id, JobVerb.FINALIZE));
  }

  /** Forgets a job that is over. */
  public void dismiss(String id) throws BlockException {
    ending.dismiss(find(id, JobVerb.DISMISS));
  }

  private Job find(String id, JobVerb verb) throws BlockException {
    check();
    Job job = jobs.find(id);
    verb.check(id, job.status());
    return job;
  }

  private void check() {
    if (!jobs.isLocked()) {
      throw new IllegalStateException("this monitor has been closed, or is another thread's");
    }
  }

  /** Gives the mutex back. */
  @Override
  public void close() {
    check();
    jobs.unlock();
  }
}

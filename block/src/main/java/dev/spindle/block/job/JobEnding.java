// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.graph.BlockException;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How jobs end: together with those of their transaction. Control side, with the job mutex held
 * once; the drivers' callbacks run without it.
 */
final class JobEnding {
  private static final Logger LOG = LoggerFactory.getLogger(JobEnding.class);

  private final Jobs jobs;

  JobEnding(Jobs jobs) {
    this.jobs = jobs;
  }

  /** A job's work is over, or will never begin. Does nothing if that has been dealt with. */
  void completed(Job job) {
    if (job.isCompleted()) {
      return;
    }
    job.settleResult();
    if (job.failure().isPresent()) {
      abort(job);
    } else {
      succeeded(job);
    }
  }

  private void succeeded(Job job) {
    job.become(JobStatus.WAITING);
    List<Job> members = job.transaction.members();
    if (!members.stream().allMatch(Job::isCompleted)) {
      return;
    }
    for (Job member : members) {
      member.become(JobStatus.PENDING);
      if (!member.options.autoFinalize()) {
        jobs.tell(new JobEvent.Pending(member.id(), member.driver.type()));
      }
    }
    if (members.stream().allMatch(member -> member.options.autoFinalize())) {
      finalizeAll(job);
    }
  }

  /** Finalizes a pending job and all others of its transaction. */
  void finalizeAll(Job job) {
    List<Job> members = job.transaction.members();
    for (Job member : members) {
      prepare(member);
      if (member.failure().isPresent()) {
        member.settleResult();
        abort(member);
        return;
      }
    }
    conclude(members);
  }

  private void prepare(Job job) {
    try {
      jobs.<Void, BlockException>unlocked(
          () -> {
            job.driver.prepare();
            return null;
          });
    } catch (BlockException e) {
      job.fail(e);
    } catch (RuntimeException | Error e) {
      LOG.error("job '{}' could not be prepared", job.id(), e);
      job.fail(internalError(e));
    }
  }

  /** Has a job and all others of its transaction fail; waits for the work of those to end. */
  void abort(Job job) {
    List<Job> members = job.transaction.members();
    for (Job other : members) {
      if (other != job) {
        cancel(other, true);
      }
    }
    for (Job member : members) {
      if (member.isStarted()) {
        member.awaitWorkOver();
      }
    }
    conclude(members);
  }

  /** Cancels a job as far as that needs nobody to wait. */
  void cancel(Job job, boolean force) {
    boolean fails = true;
    try {
      fails = jobs.unlocked(() -> job.driver.cancel(force));
    } catch (RuntimeException | Error e) {
      // It fails then, whatever it would have done; others are to be cancelled with it, perhaps.
      LOG.error("job '{}' failed to be cancelled well", job.id(), e);
    }
    job.cancel(force || fails || !job.isStarted());
  }

  /** Cancels a job; what is left to wait for, if anything, is its work. */
  void end(Job job, boolean force) {
    cancel(job, force);
    if (!job.isStarted() || (job.isWorkOver() && job.isCancelled())) {
      job.settleResult();
      abort(job);
    }
  }

  /**
   * Commits some jobs in order or aborts them in reverse; then each cleans up, in reverse whatever
   * else has happened; then all are let go.
   */
  private void conclude(List<Job> members) {
    members.forEach(Job::settleResult);
    for (Job member : members) {
      if (member.failure().isEmpty()) {
        run(member, "commit", member.driver::commit);
      }
    }
    for (Job member : members.reversed()) {
      if (member.isAborting()) {
        run(member, "abort", member.driver::abort);
      }
    }
    for (Job member : members.reversed()) {
      run(member, "clean", member.driver::cleanUp);
    }
    members.forEach(this::letGo);
  }

  private void letGo(Job job) {
    if (job.isStarted()) {
      jobs.tell(
          job.isCancelled()
              ? new JobEvent.Cancelled(job.info())
              : new JobEvent.Completed(job.info()));
    }
    job.transaction.remove(job);
    job.become(JobStatus.CONCLUDED);
    if (job.options.autoDismiss() || !job.isStarted()) {
      dismiss(job);
    }
  }

  /** Forgets a job that is over. */
  void dismiss(Job job) {
    job.become(JobStatus.NULL);
    jobs.remove(job);
  }

  /**
   * Callbacks that cannot fail: whatever they throw is a bug, or memory that has run out. It must
   * not spread, and the job's user hears of it.
   */
  private void run(Job job, String what, Runnable callback) {
    try {
      jobs.unlocked(
          () -> {
            callback.run();
            return null;
          });
    } catch (RuntimeException | Error e) {
      LOG.error("{} of job '{}' failed", what, job.id(), e);
      job.fail(internalError(e));
    }
  }

  private static BlockException internalError(Throwable cause) {
    return new BlockException("Internal error: " + cause, cause);
  }
}

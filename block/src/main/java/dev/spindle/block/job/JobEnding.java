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
      try {
        jobs.<Void, BlockException>unlocked(
            () -> {
              member.driver.prepare();
              return null;
            });
      } catch (BlockException e) {
        member.fail(e);
      } catch (RuntimeException e) {
        LOG.error("job '{}' could not be prepared", member.id(), e);
        member.fail(new BlockException("Internal error: " + e, e));
      }
      if (member.failure().isPresent()) {
        member.settleResult();
        abort(member);
        return;
      }
    }
    members.forEach(this::conclude);
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
      conclude(member);
    }
  }

  /** Cancels a job as far as that needs nobody to wait. */
  void cancel(Job job, boolean force) {
    boolean fails = jobs.unlocked(() -> job.driver.cancel(force));
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

  /** Commits or aborts one job, and lets it go. */
  private void conclude(Job job) {
    job.settleResult();
    JobDriver driver = job.driver;
    if (job.failure().isPresent()) {
      run(job, "abort", driver::abort);
    } else {
      run(job, "commit", driver::commit);
    }
    run(job, "clean", driver::cleanUp);
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

  /** Callbacks that cannot fail: whatever they throw is a bug, which must not spread. */
  private void run(Job job, String what, Runnable callback) {
    jobs.unlocked(
        () -> {
          try {
            callback.run();
          } catch (RuntimeException e) {
            LOG.error("{} of job '{}' failed", what, job.id(), e);
          }
          return null;
        });
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.RovingThread;
import dev.spindle.block.graph.BlockException;
import dev.spindle.linux.Errno;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One job's state. Every method that does not say otherwise is called with the job mutex held, and
 * every field that is not final is protected by it.
 */
final class Job {
  private static final Logger LOG = LoggerFactory.getLogger(Job.class);

  final JobOptions options;
  final JobDriver driver;
  final JobTransaction transaction;
  private final Jobs jobs;

  /** Signalled whenever somebody may wait for what has changed. */
  private final Condition changed;

  private final RateLimit limit = new RateLimit();
  private JobStatus status = JobStatus.UNDEFINED;

  /** Who wants it to stand still: its not having been started, the user, sections. */
  private int pauseCount = 1;

  private boolean userPaused;

  /** Whether it stands still at a pause point; {@link #atRest} is the question to ask. */
  private boolean paused;

  /** Whether its work sleeps. */
  private boolean asleep;

  /** Whether its work should look at the world again rather than sleep. */
  private boolean kicked;

  /** Carries the work; null before the start. */
  private RovingThread thread;

  /** The work has ended, whether or not the ending has been dealt with. */
  private boolean workOver;

  private boolean cancelRequested;

  /** Whether the cancellation takes effect at the next pause point and makes the job fail. */
  private boolean cancelled;

  private long current;
  private long total;
  private JobIoStatus ioStatus = JobIoStatus.OK;

  /** Why it failed; null while it has not. */
  private BlockException failure;

  Job(Jobs jobs, JobOptions options, JobTransaction transaction, JobDriver driver) {
    this.jobs = jobs;
    this.options = options;
    this.transaction = transaction;
    this.driver = driver;
    this.changed = jobs.newCondition();
    limit.setSpeed(options.speed(), System.nanoTime());
  }

  String id() {
    return options.id();
  }

  JobStatus status() {
    return status;
  }

  /** Goes on to another state, and tells. */
  void become(JobStatus next) {
    if (!status.mayBecome(next)) {
      throw new IllegalStateException(
          "job '%s' cannot go from '%s' to '%s'".formatted(id(), status, next));
    }
    JobStatus before = status;
    status = next;
    if (before != next) {
      jobs.tell(new JobEvent.StatusChange(id(), next));
    }
    changed.signalAll();
  }

  boolean isStarted() {
    return thread != null;
  }

  /** Whether its work is over and dealt with. */
  boolean isCompleted() {
    return status.compareTo(JobStatus.WAITING) >= 0;
  }

  boolean isWorkOver() {
    return workOver;
  }

  boolean isAborting() {
    return status == JobStatus.ABORTING;
  }

  boolean isCancelRequested() {
    return cancelRequested;
  }

  boolean isCancelled() {
    return cancelled;
  }

  boolean isUserPaused() {
    return userPaused;
  }

  Optional<BlockException> failure() {
    return Optional.ofNullable(failure);
  }

  /** Makes it a failed one, unless it is already. */
  void fail(BlockException reason) {
    if (failure == null) {
      failure = reason;
    }
  }

  /** A job that was cancelled for good has failed. */
  void settleResult() {
    if (cancelled) {
      fail(new JobCancelledException());
    }
    if (failure != null) {
      become(JobStatus.ABORTING);
    }
  }

  /** Begins the work in {@code context}. */
  void start(AioContext context) {
    if (status != JobStatus.CREATED) {
      throw new IllegalStateException("job '" + id() + "' is started in state " + status);
    }
    pauseCount--;
    become(JobStatus.RUNNING);
    thread = RovingThread.start("job-" + id(), context, this::work);
  }

  /** The work, on its own thread. Without the mutex. */
  private void work() {
    BlockException reason = null;
    try {
      pausePoint();
      driver.run();
    } catch (BlockException e) {
      reason = e;
    } catch (RuntimeException | Error e) {
      LOG.error("job '{}' failed", id(), e);
      reason = new BlockException("Internal error: " + e, e);
    }
    jobs.lock();
    try {
      workOver = true;
      if (reason != null) {
        fail(reason);
      }
      changed.signalAll();
    } finally {
      jobs.unlock();
    }
    jobs.workEnded(this);
  }

  /** Has the work, which stands still, go on in another context. */
  void follow(AioContext target) {
    if (thread != null) {
      thread.moveTo(target);
    }
  }

  /** Asks it to stand still at its next pause point. */
  void pause() {
    pauseCount++;
    changed.signalAll();
  }

  /** Takes one {@link #pause} back. */
  void resume() {
    pauseCount--;
    changed.signalAll();
  }

  void userPause() {
    userPaused = true;
    pause();
  }

  void userResume() {
    userPaused = false;
    ioStatus = JobIoStatus.OK;
    resume();
  }

  int pauseCount() {
    return pauseCount;
  }

  /** Wakes it up if it sleeps, or keeps it from falling asleep once. */
  void kick() {
    kicked = true;
    changed.signalAll();
  }

  /** Cancels it. The driver's own cancel has been called. */
  void cancel(boolean force) {
    if (userPaused) {
      // Not to be resumed by the user any more, and it must not hang.
      userResume();
    }
    // One that has done its work cannot be talked into ending early.
    if (force || !workOver) {
      cancelRequested = true;
      cancelled |= force;
    }
    kick();
  }

  /**
   * Whether it does nothing: it has not begun, stands still at a pause point, or its work is over.
   */
  private boolean atRest() {
    return thread == null || paused || workOver;
  }

  /** Waits until a job that was asked to pause does nothing. */
  void awaitRest() {
    while (!atRest()) {
      changed.awaitUninterruptibly();
    }
  }

  /** Waits until the work of a started job is over. */
  void awaitWorkOver() {
    while (!workOver) {
      changed.awaitUninterruptibly();
    }
  }

  /** By the work, without the mutex: see {@link JobDriver#pausePoint}. */
  void pausePoint() throws JobCancelledException {
    if (!mustPause()) {
      return;
    }
    driver.paused();
    jobs.lock();
    try {
      standStill();
    } finally {
      jobs.unlock();
    }
    driver.resumed();
    jobs.lock();
    try {
      checkNotCancelled();
    } finally {
      jobs.unlock();
    }
  }

  private boolean mustPause() throws JobCancelledException {
    jobs.lock();
    try {
      checkNotCancelled();
      return pauseCount > 0;
    } finally {
      jobs.unlock();
    }
  }

  private void checkNotCancelled() throws JobCancelledException {
    if (cancelled) {
      throw new JobCancelledException();
    }
  }

  private void standStill() {
    if (!shouldStandStill()) {
      return;
    }
    JobStatus before = status;
    become(before == JobStatus.READY ? JobStatus.STANDBY : JobStatus.PAUSED);
    while (shouldStandStill()) {
      paused = true;
      changed.signalAll();
      while (shouldStandStill()) {
        changed.awaitUninterruptibly();
      }
      paused = false;
      // Its nodes may have moved meanwhile; while it goes after them, it may be stopped again.
      jobs.unlock();
      thread.settle();
      jobs.lock();
    }
    become(before);
  }

  private boolean shouldStandStill() {
    return pauseCount > 0 && !cancelled;
  }

  /** By the work, without the mutex: see {@link JobDriver#sleep}. */
  void sleep(long nanos) throws JobCancelledException {
    // Work that never has to wait must not keep the context from everybody else.
    Thread.yield();
    jobs.lock();
    try {
      long left = nanos;
      asleep = true;
      while (left > 0 && !kicked && pauseCount == 0 && !cancelled) {
        left = changed.awaitNanos(left);
      }
      asleep = false;
      kicked = false;
    } catch (InterruptedException e) {
      // Nobody interrupts a job's thread: it ends by being cancelled.
      throw new IllegalStateException(e);
    } finally {
      jobs.unlock();
    }
    pausePoint();
  }

  /** Counts work against the speed; returns how long to sleep now, in nanoseconds. */
  long account(long bytes) {
    return limit.add(bytes, System.nanoTime());
  }

  void setSpeed(long bytesPerSecond) {
    limit.setSpeed(bytesPerSecond, System.nanoTime());
    kick();
  }

  void ready() {
    become(JobStatus.READY);
    jobs.tell(new JobEvent.Ready(info()));
  }

  void setProgress(long newCurrent, long newTotal) {
    current = newCurrent;
    total = newTotal;
  }

  long current() {
    return current;
  }

  long total() {
    return total;
  }

  /** Decides what to do about an I/O error, and tells. */
  ErrorAction ioError(ErrorPolicy policy, boolean write, int errno) {
    ErrorAction action = policy.action(errno);
    jobs.tell(new JobEvent.IoError(id(), write, errno, action));
    if (action == ErrorAction.STOP) {
      if (!userPaused) {
        userPause();
      }
      ioStatus = errno == Errno.ENOSPC ? JobIoStatus.NOSPACE : JobIoStatus.FAILED;
    }
    return action;
  }

  JobInfo info() {
    return new JobInfo(
        id(),
        driver.type(),
        status,
        current,
        total,
        limit.speed(),
        pauseCount > (isStarted() ? 0 : 1),
        isStarted() && !atRest() && !asleep,
        options.autoFinalize(),
        options.autoDismiss(),
        ioStatus,
        failure().map(BlockException::getMessage));
  }
}

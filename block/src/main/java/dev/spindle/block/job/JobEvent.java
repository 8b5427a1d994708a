// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

/** What happened to a job: QAPI's job events. */
public sealed interface JobEvent {
  /** Which job. */
  String id();

  /** JOB_STATUS_CHANGE. */
  record StatusChange(String id, JobStatus status) implements JobEvent {}

  /** BLOCK_JOB_COMPLETED: it is over; {@link JobInfo#error} says whether it failed. */
  record Completed(JobInfo job) implements JobEvent {
    @Override
    public String id() {
      return job.id();
    }
  }

  /** BLOCK_JOB_CANCELLED: it is over because it was cancelled. */
  record Cancelled(JobInfo job) implements JobEvent {
    @Override
    public String id() {
      return job.id();
    }
  }

  /** BLOCK_JOB_READY: it may be completed. */
  record Ready(JobInfo job) implements JobEvent {
    @Override
    public String id() {
      return job.id();
    }
  }

  /** BLOCK_JOB_PENDING: it waits for the user to finalize it. */
  record Pending(String id, String type) implements JobEvent {}

  /**
   * BLOCK_JOB_ERROR.
   *
   * @param write whether a write failed, or else a read
   * @param errno positive
   */
  record IoError(String id, boolean write, int errno, ErrorAction action) implements JobEvent {}
}

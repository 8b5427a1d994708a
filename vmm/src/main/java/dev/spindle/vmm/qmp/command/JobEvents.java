// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import dev.spindle.block.job.ErrorAction;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobInfo;
import dev.spindle.block.job.JobListener;
import dev.spindle.block.job.JobStatus;
import dev.spindle.vmm.qmp.MonitorEvents;
import dev.spindle.vmm.qmp.QmpEvent;
import java.util.List;
import java.util.Optional;

/** Tells what happens to jobs (QAPI: job.json, block-core.json). */
public final class JobEvents implements JobListener {
  /** A job has another state. */
  public record StatusChange(String id, JobStatus status) {}

  /** What the older events tell of a job. */
  public record Progress(String type, String device, long len, long offset, long speed) {
    static Progress of(JobInfo job) {
      return new Progress(job.type(), job.id(), job.total(), job.current(), job.speed());
    }
  }

  /** As {@link Progress}, of a job that is over. */
  public record Completed(
      String type, String device, long len, long offset, long speed, Optional<String> error) {
    static Completed of(JobInfo job) {
      return new Completed(
          job.type(), job.id(), job.total(), job.current(), job.speed(), job.error());
    }
  }

  /** A job waits to be finalized. */
  public record Pending(String type, String id) {}

  /** Whether a job was reading or writing: QAPI's IoOperationType. */
  public enum Operation {
    READ,
    WRITE
  }

  /** A job has met an error. */
  public record IoError(String device, Operation operation, ErrorAction action) {}

  private static final QmpEvent<StatusChange> STATUS_CHANGE =
      new QmpEvent<>("JOB_STATUS_CHANGE", "A job has another state.", StatusChange.class);
  private static final QmpEvent<Completed> COMPLETED =
      new QmpEvent<>("BLOCK_JOB_COMPLETED", "A job is over, well or not.", Completed.class);
  private static final QmpEvent<Progress> CANCELLED =
      new QmpEvent<>("BLOCK_JOB_CANCELLED", "A job is over by cancellation.", Progress.class);
  private static final QmpEvent<Progress> READY =
      new QmpEvent<>("BLOCK_JOB_READY", "A job may be completed.", Progress.class);
  private static final QmpEvent<Pending> PENDING =
      new QmpEvent<>("BLOCK_JOB_PENDING", "A job waits to be finalized.", Pending.class);
  private static final QmpEvent<IoError> ERROR =
      new QmpEvent<>("BLOCK_JOB_ERROR", "A job has met an I/O error.", IoError.class);

  /** The declarations. */
  public static final List<QmpEvent<?>> ALL =
      List.of(STATUS_CHANGE, COMPLETED, CANCELLED, READY, PENDING, ERROR);

  private final MonitorEvents monitors;

  /** Tells these monitors. */
  public JobEvents(MonitorEvents monitors) {
    this.monitors = monitors;
  }

  @Override
  public void jobEvent(JobEvent event) {
    switch (event) {
      case JobEvent.StatusChange(String id, JobStatus status) ->
          monitors.tell(STATUS_CHANGE, new StatusChange(id, status));
      case JobEvent.Completed(JobInfo job) -> monitors.tell(COMPLETED, Completed.of(job));
      case JobEvent.Cancelled(JobInfo job) -> monitors.tell(CANCELLED, Progress.of(job));
      case JobEvent.Ready(JobInfo job) -> monitors.tell(READY, Progress.of(job));
      case JobEvent.Pending(String id, String type) ->
          monitors.tell(PENDING, new Pending(type, id));
      case JobEvent.IoError(String id, boolean write, int _, ErrorAction action) ->
          monitors.tell(ERROR, new IoError(id, write ? Operation.WRITE : Operation.READ, action));
    }
  }
}

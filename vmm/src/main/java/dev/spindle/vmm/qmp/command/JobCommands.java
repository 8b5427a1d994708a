// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;
import static dev.spindle.vmm.qmp.QmpCommand.listOf;
import static dev.spindle.vmm.qmp.QmpCommand.query;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.JobInfo;
import dev.spindle.block.job.JobIoStatus;
import dev.spindle.block.job.JobMonitor;
import dev.spindle.block.job.JobStatus;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.qmp.QapiName;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpErrorClass;
import dev.spindle.vmm.qmp.QmpException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Jobs that are there already (QAPI: job.json and the older commands of block-core.json). */
public final class JobCommands {
  /** A job by its id. */
  public record JobId(String id) {}

  /** A job as the older commands name it. */
  public record Device(String device) {}

  /** Arguments of {@code block-job-cancel}. */
  public record CancelArguments(String device, Optional<Boolean> force) {}

  /** Arguments of {@code block-job-set-speed}; bytes per second, 0 for no limit. */
  public record SpeedArguments(String device, long speed) {}

  /** What {@code block-job-change} changes. */
  public enum JobType {
    MIRROR
  }

  /** Arguments of {@code block-job-change}. */
  public record ChangeArguments(String id, JobType type, CopyMode copyMode) {}

  /** What is told of a job: QAPI's JobInfo. */
  public record Job(
      String id,
      String type,
      JobStatus status,
      @QapiName("current-progress") long current,
      @QapiName("total-progress") long total,
      Optional<String> error) {
    static Job of(JobInfo info) {
      return new Job(
          info.id(), info.type(), info.status(), info.current(), info.total(), info.error());
    }
  }

  /** What the older command tells: QAPI's BlockJobInfo. */
  public record BlockJob(
      String device,
      String type,
      long len,
      long offset,
      boolean busy,
      boolean paused,
      long speed,
      @QapiName("io-status") IoStatus ioStatus,
      boolean ready,
      JobStatus status,
      boolean autoFinalize,
      boolean autoDismiss,
      Optional<String> error) {
    static BlockJob of(JobInfo info) {
      boolean ready = info.status() == JobStatus.READY || info.status() == JobStatus.STANDBY;
      return new BlockJob(
          info.id(),
          info.type(),
          info.total(),
          info.current(),
          info.busy(),
          info.paused(),
          info.speed(),
          IoStatus.of(info.ioStatus()),
          ready,
          info.status(),
          info.autoFinalize(),
          info.autoDismiss(),
          info.error());
    }
  }

  /** QAPI's BlockDeviceIoStatus. */
  public enum IoStatus {
    OK,
    FAILED,
    NOSPACE;

    static IoStatus of(JobIoStatus status) {
      return switch (status) {
        case OK -> OK;
        case FAILED -> FAILED;
        case NOSPACE -> NOSPACE;
      };
    }
  }

  /** What is done to one job. */
  @FunctionalInterface
  private interface Verb {
    void apply(JobMonitor monitor, String id) throws BlockException;
  }

  private JobCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockLayer, ?, ?>> all() {
    List<QmpCommand<BlockLayer, ?, ?>> commands = new ArrayList<>();
    commands.add(query("query-jobs", listOf(Job.class), "Lists the jobs.", JobCommands::jobs));
    commands.add(
        query(
            "query-block-jobs",
            listOf(BlockJob.class),
            "Lists the jobs that work on nodes.",
            JobCommands::blockJobs));
    addVerb(commands, "pause", "Has a job stand still.", JobMonitor::pause);
    addVerb(commands, "resume", "Ends a job's pause.", JobMonitor::resume);
    addVerb(commands, "complete", "Has a job that is ready come to its end.", JobMonitor::complete);
    addVerb(
        commands,
        "finalize",
        "Has a job that waits for it, and its transaction, take effect.",
        JobMonitor::finalizeJob);
    addVerb(commands, "dismiss", "Forgets a job that is over.", JobMonitor::dismiss);
    commands.add(
        action(
            "job-cancel",
            JobId.class,
            "Cancels a job at once: it fails.",
            (layer, job) -> apply(layer, job.id(), (jobs, id) -> jobs.cancel(id, true))));
    commands.add(
        action(
            "block-job-cancel",
            CancelArguments.class,
            "Cancels a job; one that is ready ends with its copy as it is now, unless forced.",
            (layer, job) ->
                applyToDevice(
                    layer,
                    job.device(),
                    (jobs, id) -> jobs.cancel(id, job.force().orElse(false)))));
    commands.add(
        action(
            "block-job-set-speed",
            SpeedArguments.class,
            "Limits a job's bytes per second; 0 for no limit.",
            (layer, job) ->
                applyToDevice(layer, job.device(), (jobs, id) -> jobs.setSpeed(id, job.speed()))));
    commands.add(
        action(
            "block-job-change",
            ChangeArguments.class,
            "Changes how a mirror gets at what is written meanwhile.",
            (layer, job) -> apply(layer, job.id(), (jobs, id) -> jobs.change(id, job.copyMode()))));
    return List.copyOf(commands);
  }

  /** Under both names. */
  private static void addVerb(
      List<QmpCommand<BlockLayer, ?, ?>> commands, String name, String text, Verb verb) {
    commands.add(
        action("job-" + name, JobId.class, text, (layer, job) -> apply(layer, job.id(), verb)));
    boolean newer = name.equals("finalize") || name.equals("dismiss");
    commands.add(
        newer
            ? action(
                "block-job-" + name,
                JobId.class,
                text,
                (layer, job) -> apply(layer, job.id(), verb))
            : action(
                "block-job-" + name,
                Device.class,
                text,
                (layer, job) -> applyToDevice(layer, job.device(), verb)));
  }

  private static void apply(BlockLayer layer, String id, Verb verb) throws BlockException {
    try (JobMonitor monitor = layer.jobs().monitor()) {
      verb.apply(monitor, id);
    }
  }

  /** As {@link #apply}; the older commands have an error class for jobs that are not there. */
  private static void applyToDevice(BlockLayer layer, String id, Verb verb)
      throws QmpException, BlockException {
    try (JobMonitor monitor = layer.jobs().monitor()) {
      if (monitor.query().stream().noneMatch(job -> job.id().equals(id))) {
        throw new QmpException(QmpErrorClass.DEVICE_NOT_ACTIVE, "Block job '" + id + "' not found");
      }
      verb.apply(monitor, id);
    }
  }

  private static List<Job> jobs(BlockLayer layer) {
    try (JobMonitor monitor = layer.jobs().monitor()) {
      return monitor.query().stream().map(Job::of).toList();
    }
  }

  private static List<BlockJob> blockJobs(BlockLayer layer) {
    try (JobMonitor monitor = layer.jobs().monitor()) {
      return monitor.query().stream()
          .filter(info -> !info.type().equals("create"))
          .map(BlockJob::of)
          .toList();
    }
  }
}

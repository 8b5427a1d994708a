// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobInfo;
import dev.spindle.block.job.JobMonitor;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobStatus;
import dev.spindle.block.job.Jobs;
import dev.spindle.vmm.machine.VirtualMachine;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** Jobs on the disks of a guest that runs, and what was told of them. */
final class GuestJobs implements AutoCloseable {
  /** Something done with a monitor. */
  @FunctionalInterface
  interface Verb {
    void on(JobMonitor monitor) throws BlockException;
  }

  private final VirtualMachine machine;
  private final Jobs jobs;

  /** Guarded by itself. */
  private final List<JobEvent> events = new ArrayList<>();

  GuestJobs(VirtualMachine machine) {
    this.machine = machine;
    this.jobs = new Jobs(machine.mainLoop());
    jobs.listen(
        event -> {
          synchronized (events) {
            events.add(event);
            events.notifyAll();
          }
        });
  }

  /** Makes a job and has it begin. Control side. */
  void start(JobOptions options, JobDriver job) throws BlockException {
    jobs.create(options, null, job);
    jobs.start(options.id());
  }

  /** Does something to a job. Control side. */
  void on(Verb verb) throws BlockException {
    try (JobMonitor monitor = jobs.monitor()) {
      verb.on(monitor);
    }
  }

  /** Does something to a job. Any other thread; waits. */
  void control(Verb verb) throws Exception {
    machine.<Void, Exception>control(
        "job",
        () -> {
          on(verb);
          return null;
        });
  }

  /** Waits until a job has been in this state. */
  void await(String id, JobStatus status) throws InterruptedException {
    await(
        event ->
            event instanceof JobEvent.StatusChange(String job, JobStatus next)
                && job.equals(id)
                && next == status);
  }

  /** Waits until a job is over and gone; returns how it ended. */
  JobInfo ended(String id) throws InterruptedException {
    await(id, JobStatus.NULL);
    JobEvent end = await(event -> event instanceof JobEvent.Completed && event.id().equals(id));
    return ((JobEvent.Completed) end).job();
  }

  private JobEvent await(Predicate<JobEvent> wanted) throws InterruptedException {
    synchronized (events) {
      while (true) {
        for (JobEvent event : events) {
          if (wanted.test(event)) {
            return event;
          }
        }
        events.wait();
      }
    }
  }

  @Override
  public void close() {
    machine.control(
        "cancel-jobs",
        () -> {
          jobs.cancelAll();
          return null;
        });
  }
}

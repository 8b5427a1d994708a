// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.job.JobEvent.StatusChange;
import dev.spindle.block.job.JobInfo;
import dev.spindle.block.job.JobMonitor;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobStatus;
import dev.spindle.block.job.Jobs;
import dev.spindle.vmm.tool.ToolBlocks;
import dev.spindle.vmm.tool.ToolException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** One job that a command runs to its end. Straight-line code of {@link ImgSession#run}. */
final class JobRun {
  private final ToolBlocks blocks;
  private final Jobs jobs;
  private final JobOptions options;

  /** Completed when it could be completed, or is over. */
  private final CompletableFuture<Void> ready = new CompletableFuture<>();

  private final CompletableFuture<Void> over = new CompletableFuture<>();

  /** Makes the job. Control side. */
  @FunctionalInterface
  interface Driver {
    JobDriver of(JobOptions options) throws BlockException;
  }

  JobRun(ToolBlocks blocks, JobOptions options) {
    this.blocks = blocks;
    this.jobs = new Jobs(blocks.mainLoop());
    this.options = options.dismissedByUser();
    jobs.listen(
        event -> {
          if (event instanceof StatusChange change) {
            if (change.status() == JobStatus.READY || change.status() == JobStatus.CONCLUDED) {
              ready.complete(null);
            }
            if (change.status() == JobStatus.CONCLUDED) {
              over.complete(null);
            }
          }
        });
  }

  /**
   * Runs it, and completes it as soon as it is ready.
   *
   * @throws ToolException why it failed
   */
  void run(Driver driver) throws ToolException {
    String id = options.id();
    blocks.control(
        () -> {
          jobs.create(options, null, driver.of(options));
          jobs.start(id);
          return null;
        });
    ready.join();
    blocks.control(
        () -> {
          try (JobMonitor monitor = jobs.monitor()) {
            if (monitor.query(id).status() == JobStatus.READY) {
              monitor.complete(id);
            }
          }
          return null;
        });
    over.join();
    Optional<String> error =
        blocks.control(
            () -> {
              try (JobMonitor monitor = jobs.monitor()) {
                JobInfo info = monitor.query(id);
                monitor.dismiss(id);
                return info.error();
              }
            });
    if (error.isPresent()) {
      throw new ToolException(error.get());
    }
  }
}

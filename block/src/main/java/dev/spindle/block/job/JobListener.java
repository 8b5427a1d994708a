// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

/** Somebody who is told what happens to jobs. */
@FunctionalInterface
public interface JobListener {
  /**
   * Something happened. Called in order, with the job mutex held, on whatever thread: must not wait
   * nor use the jobs.
   */
  void jobEvent(JobEvent event);
}

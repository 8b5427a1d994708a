// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import java.util.ArrayList;
import java.util.List;

/**
 * Jobs that succeed together or not at all. Each that has done its work waits for the others; then
 * they are finalized together, and one failure or cancellation takes all others with it. All are
 * created before the first is started. A job that is given none is alone in one.
 */
public final class JobTransaction {
  /** Those that are not over; protected by the job mutex. */
  private final List<Job> members = new ArrayList<>();

  List<Job> members() {
    return List.copyOf(members);
  }

  void add(Job job) {
    members.add(job);
  }

  void remove(Job job) {
    members.remove(job);
  }
}

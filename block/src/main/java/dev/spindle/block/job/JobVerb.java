// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.graph.BlockException;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** What users may do with a job: QAPI's JobVerb, with the states in which each is possible. */
public enum JobVerb {
  CANCEL(EnumSet.range(JobStatus.CREATED, JobStatus.PENDING)),
  PAUSE(EnumSet.range(JobStatus.CREATED, JobStatus.STANDBY)),
  RESUME(EnumSet.range(JobStatus.CREATED, JobStatus.STANDBY)),
  SET_SPEED(EnumSet.range(JobStatus.CREATED, JobStatus.STANDBY)),
  COMPLETE(EnumSet.of(JobStatus.READY, JobStatus.STANDBY)),
  FINALIZE(EnumSet.of(JobStatus.PENDING)),
  DISMISS(EnumSet.of(JobStatus.CONCLUDED)),
  CHANGE(EnumSet.range(JobStatus.CREATED, JobStatus.STANDBY));

  private final Set<JobStatus> states;

  JobVerb(Set<JobStatus> states) {
    this.states = states;
  }

  /** Refuses if a job in this state cannot accept the verb. */
  void check(String job, JobStatus status) throws BlockException {
    if (!states.contains(status)) {
      throw new BlockException(
          "Job '%s' in state '%s' cannot accept command verb '%s'".formatted(job, status, this));
    }
  }

  /** As QAPI spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import java.util.Locale;
import java.util.Set;

/** Where a job is in its life: QAPI's JobStatus, with the ways that lead from one to another. */
public enum JobStatus {
  /** Not yet in the list. */
  UNDEFINED,
  /** Its work has not begun. */
  CREATED,
  RUNNING,
  /** Stands still, from {@link #RUNNING}. */
  PAUSED,
  /** Has done its work, and keeps it up to date until it is completed or cancelled. */
  READY,
  /** Stands still, from {@link #READY}. */
  STANDBY,
  /** Its work is done; others of its transaction still work. */
  WAITING,
  /** All of the transaction have done their work, and it waits to be finalized. */
  PENDING,
  /** Failed or cancelled, and is being undone. */
  ABORTING,
  /** Over; waits to be dismissed. */
  CONCLUDED,
  /** No longer in the list. */
  NULL;

  boolean mayBecome(JobStatus next) {
    return followers().contains(next);
  }

  private Set<JobStatus> followers() {
    return switch (this) {
      case UNDEFINED -> Set.of(CREATED);
      case CREATED -> Set.of(RUNNING, ABORTING, NULL);
      case RUNNING -> Set.of(PAUSED, READY, WAITING, ABORTING);
      case PAUSED -> Set.of(RUNNING);
      case READY -> Set.of(STANDBY, WAITING, ABORTING);
      case STANDBY -> Set.of(READY);
      case WAITING -> Set.of(PENDING, ABORTING);
      case PENDING -> Set.of(ABORTING, CONCLUDED);
      case ABORTING -> Set.of(ABORTING, CONCLUDED);
      case CONCLUDED -> Set.of(NULL);
      case NULL -> Set.of();
    };
  }

  /** As QAPI spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}

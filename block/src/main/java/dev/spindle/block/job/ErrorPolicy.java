// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.linux.Errno;

/** What a job, or a disk, does when its I/O fails: QAPI's BlockdevOnError. */
public enum ErrorPolicy {
  /** It fails. */
  REPORT,
  /** It goes on without the data. */
  IGNORE,
  /** It pauses, and tries again when it is resumed. */
  STOP,
  /** It pauses if there is no space left, and fails otherwise. */
  ENOSPC;

  /**
   * What that means for one error.
   *
   * @param errno positive
   */
  public ErrorAction action(int errno) {
    return switch (this) {
      case REPORT -> ErrorAction.REPORT;
      case IGNORE -> ErrorAction.IGNORE;
      case STOP -> ErrorAction.STOP;
      case ENOSPC -> errno == Errno.ENOSPC ? ErrorAction.STOP : ErrorAction.REPORT;
    };
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

/** What a job does about one error: QAPI's BlockErrorAction. */
public enum ErrorAction {
  /** The job fails. */
  REPORT,
  /** The job goes on as if nothing had happened. */
  IGNORE,
  /** The job has been asked to pause: it tries again after its next pause point. */
  STOP
}

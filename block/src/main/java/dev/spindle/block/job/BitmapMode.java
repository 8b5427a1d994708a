// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

/** What becomes of the bitmap that a job goes by: QAPI's BitmapSyncMode. */
public enum BitmapMode {
  /** It is cleaned of what was copied if the job succeeds. */
  ON_SUCCESS,
  /** It stays as it is. */
  NEVER,
  /**
   * It is cleaned of what was copied, even if the job fails; but not if the target could not be
   * flushed, since what was copied may be lost then.
   */
  ALWAYS
}

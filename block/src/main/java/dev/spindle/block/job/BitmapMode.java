// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

/** What becomes of the bitmap that a backup goes by: QAPI's BitmapSyncMode. */
public enum BitmapMode {
  /** It is cleaned of what was copied if the backup succeeds. */
  ON_SUCCESS,
  /** It stays as it is. */
  NEVER,
  /** It is cleaned of what was copied, even if the backup fails. */
  ALWAYS
}

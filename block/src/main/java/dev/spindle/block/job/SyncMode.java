// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import java.util.Locale;

/** What a job copies that copies a node: QAPI's MirrorSyncMode. */
public enum SyncMode {
  /** All that the node shows. */
  FULL,
  /** Nothing but what is written from its creation on. */
  NONE,
  /** What a dirty bitmap says, which is then clean. */
  INCREMENTAL,
  /** What a dirty bitmap says; its user says what becomes of it. For backups. */
  BITMAP;

  /** As QAPI spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import java.util.Locale;

/** How a mirror gets what is written while it works: QAPI's MirrorCopyMode. */
public enum CopyMode {
  /** The job copies it when it comes to it. */
  BACKGROUND,
  /** A write is done when it has reached the target, too. */
  WRITE_BLOCKING;

  /** As QAPI spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}

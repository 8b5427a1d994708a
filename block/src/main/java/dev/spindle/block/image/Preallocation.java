// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import java.util.Locale;

/** What space an image takes before it is written to. */
public enum Preallocation {
  /** None. */
  OFF,
  /** What its metadata need. */
  METADATA,
  /** All, without writing it. */
  FALLOC,
  /** All, by writing it. */
  FULL;

  /** As users write it. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** What a server tells of an export (NBD_INFO_…). */
public enum InfoType {
  /** Size (64 bits) and {@link TransmissionFlags} (16 bits). */
  EXPORT(0),
  /** The name by which the server calls it. */
  NAME(1),
  /** What it is, for people. */
  DESCRIPTION(2),
  /** Least and preferred block, and the most a request may carry: 32 bits each. */
  BLOCK_SIZE(3);

  private final int number;

  InfoType(int number) {
    this.number = number;
  }

  /** The number on the wire. */
  public int number() {
    return number;
  }

  /** The information of a number, or null if it is none of these. */
  public static InfoType of(int number) {
    return number >= 0 && number < values().length ? values()[number] : null;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.cbw;

/** What happens when old data cannot be saved: QAPI's OnCbwError. */
public enum OnCbwError {
  /** The write that would destroy it fails. */
  BREAK_GUEST_WRITE,
  /** It is lost: nothing is saved any more. */
  BREAK_SNAPSHOT
}

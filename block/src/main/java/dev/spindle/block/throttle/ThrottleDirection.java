// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

/** What is limited apart from each other; discards and writing zeroes are writes. */
public enum ThrottleDirection {
  READ,
  WRITE
}

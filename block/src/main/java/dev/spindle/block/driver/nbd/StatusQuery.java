// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

/**
 * Asks a server for the status of the start of a range. Its operation means nothing: that it is one
 * of these does.
 */
final class StatusQuery extends Errand {
  /** Bytes that are alike; 0 as long as the server has not said. */
  long extentLength;

  /** The context's word on them. */
  long extentFlags;

  StatusQuery() {
    super(Operation.READ, 1);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.OptionalLong;

/**
 * How an image is used.
 *
 * @param l2CacheBytes how much of the L2 tables is held in memory; empty for what the image needs,
 *     32 MiB at most
 * @param passDiscards whether the file is told of clusters that are free
 */
record Qcow2Options(OptionalLong l2CacheBytes, boolean passDiscards) {
  static final Qcow2Options DEFAULT = new Qcow2Options(OptionalLong.empty(), false);
}

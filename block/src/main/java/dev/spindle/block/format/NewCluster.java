// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

/**
 * Room for a cluster, which nothing leads to yet.
 *
 * @param file which of the image's files, 0 for its own
 * @param offset there, in bytes
 * @param zeroed whether it reads as zeroes
 */
public record NewCluster(int file, long offset, boolean zeroed) {}

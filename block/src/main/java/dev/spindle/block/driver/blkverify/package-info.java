// SPDX-License-Identifier: Apache-2.0

/** The {@code blkverify} driver: two images that must always read the same. */
package dev.spindle.block.driver.blkverify;

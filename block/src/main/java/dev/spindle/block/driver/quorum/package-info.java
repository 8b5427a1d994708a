// SPDX-License-Identifier: Apache-2.0

/** The {@code quorum} driver: several images of the same, whose majority is right. */
package dev.spindle.block.driver.quorum;

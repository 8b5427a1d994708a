// SPDX-License-Identifier: Apache-2.0

/** The {@code parallels} driver: Parallels' expanding disk images. */
package dev.spindle.block.driver.parallels;

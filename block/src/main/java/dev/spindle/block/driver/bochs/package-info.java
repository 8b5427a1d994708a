// SPDX-License-Identifier: Apache-2.0

/** The {@code bochs} driver: Bochs' growing disk images, for reading. */
package dev.spindle.block.driver.bochs;

// SPDX-License-Identifier: Apache-2.0

/** The {@code dmg} driver: Apple's disk images, for reading. */
package dev.spindle.block.driver.dmg;

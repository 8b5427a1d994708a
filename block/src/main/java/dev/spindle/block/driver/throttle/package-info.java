// SPDX-License-Identifier: Apache-2.0

/** The {@code throttle} driver: a filter whose requests wait for their turn in a throttle group. */
package dev.spindle.block.driver.throttle;

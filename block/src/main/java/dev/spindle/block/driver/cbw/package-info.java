// SPDX-License-Identifier: Apache-2.0

/** The {@code copy-before-write} filter: saves what a node holds before it is overwritten. */
package dev.spindle.block.driver.cbw;

// SPDX-License-Identifier: Apache-2.0

/** The {@code raw} driver: a window of another node. */
package dev.spindle.block.driver.raw;

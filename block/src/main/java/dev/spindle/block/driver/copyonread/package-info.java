// SPDX-License-Identifier: Apache-2.0

/** The {@code copy-on-read} driver: a filter that keeps what is read out of backing files. */
package dev.spindle.block.driver.copyonread;

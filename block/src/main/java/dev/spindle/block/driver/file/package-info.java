// SPDX-License-Identifier: Apache-2.0

/** The {@code file} driver: host files and block devices. */
package dev.spindle.block.driver.file;

// SPDX-License-Identifier: Apache-2.0

/** The {@code blkdebug} driver: a filter that fails, suspends and cuts up requests on demand. */
package dev.spindle.block.driver.blkdebug;

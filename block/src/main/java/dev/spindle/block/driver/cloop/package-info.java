// SPDX-License-Identifier: Apache-2.0

/** The {@code cloop} driver: compressed loop images, for reading. */
package dev.spindle.block.driver.cloop;

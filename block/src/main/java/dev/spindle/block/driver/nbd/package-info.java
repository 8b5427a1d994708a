// SPDX-License-Identifier: Apache-2.0

/** The {@code nbd} driver: a disk that an NBD server has, elsewhere or on this machine. */
package dev.spindle.block.driver.nbd;

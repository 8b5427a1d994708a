// SPDX-License-Identifier: Apache-2.0

/** The {@code vdi} driver: VirtualBox's disk images. */
package dev.spindle.block.driver.vdi;

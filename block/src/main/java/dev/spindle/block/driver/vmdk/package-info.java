// SPDX-License-Identifier: Apache-2.0

/** The {@code vmdk} driver: VMware's disk images. */
package dev.spindle.block.driver.vmdk;

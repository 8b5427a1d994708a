// SPDX-License-Identifier: Apache-2.0

/** {@code driver=luks}: disks enciphered as LUKS, version 1, has it. */
package dev.spindle.block.driver.luks;

// SPDX-License-Identifier: Apache-2.0

/** The {@code vhdx} driver: Hyper-V's disk images (MS-VHDX). */
package dev.spindle.block.driver.vhdx;

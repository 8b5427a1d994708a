// SPDX-License-Identifier: Apache-2.0

/** The {@code vpc} driver: Microsoft's VHD images, fixed and dynamic. */
package dev.spindle.block.driver.vpc;

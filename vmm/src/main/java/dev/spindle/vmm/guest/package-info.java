// SPDX-License-Identifier: Apache-2.0

/**
 * Guests that the demo and the benchmarks boot: their files, what they report, and fio's figures.
 */
package dev.spindle.vmm.guest;

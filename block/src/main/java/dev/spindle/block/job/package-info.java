// SPDX-License-Identifier: Apache-2.0

/**
 * Jobs: work on nodes that goes on beside the guest, with QEMU's states, verbs and transactions.
 */
package dev.spindle.block.job;

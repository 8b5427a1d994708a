// SPDX-License-Identifier: Apache-2.0

/**
 * What {@code img} and {@code io} share: a block layer for one command, images opened by name,
 * requests that are waited for, and texts as QEMU's tools write them.
 */
package dev.spindle.vmm.tool;

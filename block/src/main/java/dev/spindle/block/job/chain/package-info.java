// SPDX-License-Identifier: Apache-2.0

/** Jobs that make backing chains shorter, and what else changes their shape. */
package dev.spindle.block.job.chain;

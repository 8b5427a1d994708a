// SPDX-License-Identifier: Apache-2.0

/** I/O limits: leaky buckets, and groups of disks that share them in turn. */
package dev.spindle.block.throttle;

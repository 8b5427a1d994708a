// SPDX-License-Identifier: Apache-2.0

/** The virtio block device. */
package dev.spindle.devices.virtio.blk;

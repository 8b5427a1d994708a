// SPDX-License-Identifier: Apache-2.0

/** The virtio entropy device. */
package dev.spindle.devices.virtio.rng;

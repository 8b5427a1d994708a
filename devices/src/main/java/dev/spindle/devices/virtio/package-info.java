// SPDX-License-Identifier: Apache-2.0

/** Virtqueues, descriptor chains and the PCI transport of virtio. */
package dev.spindle.devices.virtio;

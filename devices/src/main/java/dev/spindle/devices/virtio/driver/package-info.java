// SPDX-License-Identifier: Apache-2.0

/**
 * The other end of a virtio device, in this process: what a guest's driver does with its queues.
 * For benchmarks and tests that need a device's whole path but no guest, and for the front end of
 * vhost-user, whose device another process has.
 */
package dev.spindle.devices.virtio.driver;

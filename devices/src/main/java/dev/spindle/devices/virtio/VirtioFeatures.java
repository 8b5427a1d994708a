// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/**
 * Feature bits that belong to no device type (virtio 1.3, section 6), as masks of the 64-bit
 * feature word.
 */
public final class VirtioFeatures {
  /** Descriptors may refer to tables of descriptors (VIRTIO_F_INDIRECT_DESC). */
  public static final long INDIRECT_DESC = 1L << 28;

  /** Both sides say at which index they want to be notified (VIRTIO_F_EVENT_IDX). */
  public static final long EVENT_IDX = 1L << 29;

  /** The driver follows virtio 1.0 or later (VIRTIO_F_VERSION_1); this device insists on it. */
  public static final long VERSION_1 = 1L << 32;

  /** Queues have the packed format (VIRTIO_F_RING_PACKED). */
  public static final long RING_PACKED = 1L << 34;

  private VirtioFeatures() {}
}

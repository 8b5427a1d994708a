// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.virtio.blk.VirtioBlkOptions;

/** A PCI device to be made, in the form of {@code --device}. */
public sealed interface DeviceOption {
  /** Returns how the user, or else Spindle, names the device. */
  String id();

  /**
   * {@code virtio-blk-pci}.
   *
   * @param drive name of the block node
   * @param queues where its queues work
   * @param packed whether packed virtqueues are offered
   * @param blk its other properties
   */
  record Disk(String id, String drive, QueueMapping queues, boolean packed, VirtioBlkOptions blk)
      implements DeviceOption {}

  /**
   * {@code virtio-rng-pci}.
   *
   * @param packed whether packed virtqueues are offered
   */
  record Rng(String id, boolean packed) implements DeviceOption {}
}

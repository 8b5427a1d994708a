// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.devices.virtio.blk.VirtioBlkOptions;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;

/** A PCI device to be made, in the form of {@code --device}. */
public sealed interface DeviceOption {
  /** Returns how the user, or else Spindle, names the device. */
  String id();

  /** Returns its kind, as {@code driver} says it. */
  String driver();

  /** Returns the PCI slot that it is to have; nothing for the lowest free one. */
  OptionalInt slot();

  /** Returns its properties, under the names in which {@code --device} takes them. */
  Map<String, Object> properties();

  /**
   * {@code virtio-blk-pci}.
   *
   * @param drive name of the block node
   * @param queues where its queues work
   * @param packed whether packed virtqueues are offered
   * @param blk its other properties
   */
  record Disk(
      String id,
      OptionalInt slot,
      String drive,
      QueueMapping queues,
      boolean packed,
      VirtioBlkOptions blk)
      implements DeviceOption {
    /** As users write it. */
    public static final String DRIVER = "virtio-blk-pci";

    /** The same on another node. */
    Disk withDrive(String other) {
      return new Disk(id, slot, other, queues, packed, blk);
    }

    @Override
    public String driver() {
      return DRIVER;
    }

    @Override
    public Map<String, Object> properties() {
      Map<String, Object> properties = new LinkedHashMap<>();
      properties.put("drive", drive);
      properties.put("num-queues", (long) queues.ioThreads().size());
      properties.put("packed", packed);
      blk.addTo(properties);
      return properties;
    }
  }

  /**
   * {@code virtio-rng-pci}.
   *
   * @param packed whether packed virtqueues are offered
   */
  record Rng(String id, OptionalInt slot, boolean packed) implements DeviceOption {
    /** As users write it. */
    public static final String DRIVER = "virtio-rng-pci";

    @Override
    public String driver() {
      return DRIVER;
    }

    @Override
    public Map<String, Object> properties() {
      return Map.of("packed", packed);
    }
  }
}

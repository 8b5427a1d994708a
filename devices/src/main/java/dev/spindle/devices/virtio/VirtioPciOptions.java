// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/**
 * How a virtio device shows itself on the PCI bus.
 *
 * @param name what the user calls the device, for the log
 * @param classCode PCI class code, 24 bits: 0x010000 for a disk
 * @param vectors MSI-X vectors, 1 to 2048; one per queue and one more serve best
 * @param ringFeatures which of {@link VirtioFeatures#RING_PACKED}, {@link
 *     VirtioFeatures#INDIRECT_DESC} and {@link VirtioFeatures#EVENT_IDX} to offer
 */
public record VirtioPciOptions(String name, int classCode, int vectors, long ringFeatures) {
  private static final long RING_FEATURES =
      VirtioFeatures.RING_PACKED | VirtioFeatures.INDIRECT_DESC | VirtioFeatures.EVENT_IDX;

  /** Refuses what no caller may ask for. */
  public VirtioPciOptions {
    if ((ringFeatures & ~RING_FEATURES) != 0) {
      throw new IllegalArgumentException(
          "not features of a ring: 0x" + Long.toHexString(ringFeatures));
    }
  }

  /**
   * What most devices want: split rings, indirect descriptors, event index, a vector for each
   * event.
   */
  public static VirtioPciOptions of(String name, int classCode, VirtioDevice device) {
    return new VirtioPciOptions(
        name,
        classCode,
        device.queueCount() + 1,
        VirtioFeatures.INDIRECT_DESC | VirtioFeatures.EVENT_IDX);
  }

  /** The same, with packed rings offered or not. */
  public VirtioPciOptions withPacked(boolean packed) {
    long others = ringFeatures & ~VirtioFeatures.RING_PACKED;
    return new VirtioPciOptions(
        name, classCode, vectors, packed ? others | VirtioFeatures.RING_PACKED : others);
  }
}

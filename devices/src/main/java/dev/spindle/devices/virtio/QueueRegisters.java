// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/** What a driver programs about one queue. Protected by its {@link DeviceLifecycle}'s lock. */
final class QueueRegisters {
  private final int index;
  private final int maxSize;
  int size;
  boolean enabled;
  long descriptorArea;
  long driverArea;
  long deviceArea;

  QueueRegisters(int index, int maxSize) {
    this.index = index;
    this.maxSize = maxSize;
    reset();
  }

  void reset() {
    size = maxSize;
    enabled = false;
    descriptorArea = 0;
    driverArea = 0;
    deviceArea = 0;
  }

  /** The queue as programmed; only its size relative to the maximum is checked here. */
  VirtqueueConfig config() throws VirtqueueException {
    VirtqueueConfig config =
        new VirtqueueConfig(index, size, maxSize, descriptorArea, driverArea, deviceArea);
    if (size > maxSize) {
      throw Virtqueue.badSize(config);
    }
    return config;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.devices.memory.DeviceMemory;

/**
 * All a device needs to run, from the moment its driver is ready until the reset that ends this
 * activation.
 */
public final class VirtioActivation {
  private final DeviceMemory memory;
  private final long features;
  private final DeviceQueue[] queues;
  private final VirtioTransport transport;

  /**
   * Describes an activation.
   *
   * @param features what device and driver have agreed on
   * @param queues by index; null where the driver has not enabled the queue
   */
  public VirtioActivation(
      DeviceMemory memory, long features, DeviceQueue[] queues, VirtioTransport transport) {
    this.memory = memory;
    this.features = features;
    this.queues = queues.clone();
    this.transport = transport;
  }

  /** The memory that the driver's buffers are in. */
  public DeviceMemory memory() {
    return memory;
  }

  /** What device and driver have agreed on. */
  public long features() {
    return features;
  }

  /** Whether all the given feature bits are agreed on. */
  public boolean has(long feature) {
    return (features & feature) == feature;
  }

  /** How many queues the device has, enabled or not. */
  public int queueCount() {
    return queues.length;
  }

  /** A queue, or null if the driver has not enabled it. */
  public DeviceQueue queue(int index) {
    return queues[index];
  }

  /**
   * Reports an error that only a reset of this device ends: sets DEVICE_NEEDS_RESET, interrupts the
   * driver, and logs one line. Harmless after the reset. Any thread.
   *
   * @param reason a clause that says what has happened
   */
  public void needsReset(String reason) {
    transport.needsReset(reason);
  }

  /**
   * Tells the driver that the device has updated its {@link VirtioConfigSpace}. Harmless after the
   * reset. Any thread.
   */
  public void configChanged() {
    transport.configChanged();
  }
}

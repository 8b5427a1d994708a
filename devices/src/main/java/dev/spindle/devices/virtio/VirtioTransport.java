// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/** What a device may ask of whatever connects it to the guest. Any thread. */
public interface VirtioTransport {
  /** Sets DEVICE_NEEDS_RESET and tells the driver; see {@link VirtioActivation#needsReset}. */
  void needsReset(String reason);

  /** Tells the driver that the configuration space has changed. */
  void configChanged();
}

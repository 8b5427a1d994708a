// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/** Bits of the device status field (virtio 1.3, section 2.1). */
public final class DeviceStatus {
  /** The guest has seen the device. */
  public static final int ACKNOWLEDGE = 1;

  /** The guest has a driver for it. */
  public static final int DRIVER = 2;

  /** The driver is ready: the device runs. */
  public static final int DRIVER_OK = 4;

  /** Features are agreed on; reads back as clear if the device refuses the driver's choice. */
  public static final int FEATURES_OK = 8;

  /** The device has met an error that only a reset ends. Set by the device. */
  public static final int NEEDS_RESET = 64;

  /** The driver has given up. */
  public static final int FAILED = 128;

  private DeviceStatus() {}
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.driver;

/** A device has broken the rules of its queue: a clause that says how. */
public final class DeviceFaultException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  /** Says what was wrong. */
  public DeviceFaultException(String message) {
    super(message);
  }
}

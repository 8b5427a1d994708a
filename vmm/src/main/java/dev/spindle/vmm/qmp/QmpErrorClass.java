// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

/** What kind of error a reply tells: QAPI's QapiErrorClass. */
public enum QmpErrorClass {
  /** Any that clients need not tell from others. */
  GENERIC_ERROR("GenericError"),
  /** There is no such command, or it may not be given now. */
  COMMAND_NOT_FOUND("CommandNotFound"),
  /** A device is there but has not been activated. */
  DEVICE_NOT_ACTIVE("DeviceNotActive"),
  /** There is no such device. */
  DEVICE_NOT_FOUND("DeviceNotFound"),
  /** The host's KVM cannot do it. */
  KVM_MISSING_CAP("KVMMissingCap");

  private final String spelling;

  QmpErrorClass(String spelling) {
    this.spelling = spelling;
  }

  /** As QAPI spells it. */
  @Override
  public String toString() {
    return spelling;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

/** Whether an error has stopped a disk since it last went on: QAPI's BlockDeviceIoStatus. */
public enum IoStatus {
  OK,
  FAILED,
  NOSPACE
}

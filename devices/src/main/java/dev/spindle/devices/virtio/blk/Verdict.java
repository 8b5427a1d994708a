// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

/** What is to be done with a request once it has been read. */
enum Verdict {
  /** It is ready for the backend. */
  SUBMIT,
  /** It asked for the device's ID, which has been written. */
  IDENTIFIED,
  /** It asks for what cannot be done: VIRTIO_BLK_S_IOERR. */
  IOERR,
  /** It asks for what this device does not know: VIRTIO_BLK_S_UNSUPP. */
  UNSUPP,
  /** It has no header or no room for a status: the device needs a reset. */
  MALFORMED
}

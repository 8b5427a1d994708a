// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

/** Numbers of the block device type (virtio 1.3, section 5.2). */
final class VirtioBlkFeatures {
  static final int DEVICE_TYPE = 2;

  static final long SEG_MAX = 1L << 2;
  static final long RO = 1L << 5;
  static final long BLK_SIZE = 1L << 6;
  static final long FLUSH = 1L << 9;
  static final long TOPOLOGY = 1L << 10;
  static final long CONFIG_WCE = 1L << 11;
  static final long MQ = 1L << 12;
  static final long DISCARD = 1L << 13;
  static final long WRITE_ZEROES = 1L << 14;

  static final int T_IN = 0;
  static final int T_OUT = 1;
  static final int T_FLUSH = 4;
  static final int T_GET_ID = 8;
  static final int T_DISCARD = 11;
  static final int T_WRITE_ZEROES = 13;

  static final int S_OK = 0;
  static final int S_IOERR = 1;
  static final int S_UNSUPP = 2;

  /** struct virtio_blk_req: type, reserved, sector. */
  static final int HEADER_BYTES = 16;

  /** struct virtio_blk_discard_write_zeroes: sector, num_sectors, flags. */
  static final int RANGE_BYTES = 16;

  static final int RANGE_FLAG_UNMAP = 1;

  static final int ID_BYTES = 20;
  static final int SECTOR_SHIFT = 9;

  private VirtioBlkFeatures() {}
}

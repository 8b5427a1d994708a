// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

/** Numbers of the block device type (virtio 1.3, section 5.2). */
public final class VirtioBlkFeatures {
  public static final int DEVICE_TYPE = 2;

  public static final long SIZE_MAX = 1L << 1;
  public static final long SEG_MAX = 1L << 2;
  public static final long RO = 1L << 5;
  public static final long BLK_SIZE = 1L << 6;
  public static final long FLUSH = 1L << 9;
  public static final long TOPOLOGY = 1L << 10;
  public static final long CONFIG_WCE = 1L << 11;
  public static final long MQ = 1L << 12;
  public static final long DISCARD = 1L << 13;
  public static final long WRITE_ZEROES = 1L << 14;

  public static final int T_IN = 0;
  public static final int T_OUT = 1;
  public static final int T_FLUSH = 4;
  public static final int T_GET_ID = 8;
  public static final int T_DISCARD = 11;
  public static final int T_WRITE_ZEROES = 13;

  public static final int S_OK = 0;
  public static final int S_IOERR = 1;
  public static final int S_UNSUPP = 2;

  /** struct virtio_blk_req: type, reserved, sector. */
  public static final int HEADER_BYTES = 16;

  /** struct virtio_blk_discard_write_zeroes: sector, num_sectors, flags. */
  public static final int RANGE_BYTES = 16;

  public static final int RANGE_FLAG_UNMAP = 1;

  public static final int ID_BYTES = 20;
  public static final int SECTOR_SHIFT = 9;

  private VirtioBlkFeatures() {}
}

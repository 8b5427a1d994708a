// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static dev.spindle.devices.virtio.blk.VirtioBlkFeatures.BLK_SIZE;
import static dev.spindle.devices.virtio.blk.VirtioBlkFeatures.DISCARD;
import static dev.spindle.devices.virtio.blk.VirtioBlkFeatures.FLUSH;
import static dev.spindle.devices.virtio.blk.VirtioBlkFeatures.RO;
import static dev.spindle.devices.virtio.blk.VirtioBlkFeatures.SECTOR_SHIFT;
import static dev.spindle.devices.virtio.blk.VirtioBlkFeatures.SEG_MAX;
import static dev.spindle.devices.virtio.blk.VirtioBlkFeatures.SIZE_MAX;
import static dev.spindle.devices.virtio.blk.VirtioBlkFeatures.WRITE_ZEROES;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The disk that a back end serves, by the features agreed on and its configuration space (virtio
 * 1.3, section 5.2.4).
 *
 * @param features what both ends understand
 * @param length bytes, a multiple of 512
 * @param blockSize bytes that ranges are multiples of, a power of two from 512
 * @param maxSegments the most pieces of memory in one request, at least 1
 * @param maxSegmentBytes the longest piece, a multiple of {@code blockSize}
 * @param maxDiscardBytes of one request, a multiple of {@code blockSize}; 0 if it takes none
 * @param maxZeroesBytes of one request, a multiple of {@code blockSize}; 0 if it takes none
 * @param zeroesMayUnmap whether zeroing can free the range
 */
record FrontEndDisk(
    long features,
    long length,
    int blockSize,
    int maxSegments,
    int maxSegmentBytes,
    long maxDiscardBytes,
    long maxZeroesBytes,
    boolean zeroesMayUnmap) {
  /** Up to where the configuration is of interest. */
  static final int CONFIG_BYTES = 60;

  private static final int CAPACITY_AT = 0;
  private static final int SIZE_MAX_AT = 8;
  private static final int SEG_MAX_AT = 12;
  private static final int BLK_SIZE_AT = 20;
  private static final int MAX_DISCARD_SECTORS_AT = 36;
  private static final int MAX_ZEROES_SECTORS_AT = 48;
  private static final int ZEROES_MAY_UNMAP_AT = 56;

  private static final int SECTOR = 1 << SECTOR_SHIFT;
  private static final int LARGEST_BLOCK = 64 << 10;

  /** As long as a request may be, in sectors, and its bytes still have 31 bits. */
  private static final long MOST_SECTORS = (1L << (31 - SECTOR_SHIFT)) - 1;

  /**
   * Reads the configuration space.
   *
   * @param bytes {@link #CONFIG_BYTES} of it
   * @throws VhostUserException if it makes no sense
   */
  static FrontEndDisk of(long features, byte[] bytes) throws VhostUserException {
    if (bytes.length < CONFIG_BYTES) {
      throw new VhostUserException("its configuration has only " + bytes.length + " bytes");
    }
    ByteBuffer config = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    long sectors = config.getLong(CAPACITY_AT);
    if (sectors < 0 || sectors > Long.MAX_VALUE >> SECTOR_SHIFT) {
      throw new VhostUserException(
          "a capacity of " + Long.toUnsignedString(sectors) + " sectors is impossible");
    }
    int blockSize = has(features, BLK_SIZE) ? config.getInt(BLK_SIZE_AT) : SECTOR;
    if (Integer.bitCount(blockSize) != 1 || blockSize < SECTOR || blockSize > LARGEST_BLOCK) {
      throw new VhostUserException(
          "a block size of " + Integer.toUnsignedString(blockSize) + " is impossible");
    }
    int segments = has(features, SEG_MAX) ? config.getInt(SEG_MAX_AT) : 1;
    return new FrontEndDisk(
        features,
        sectors << SECTOR_SHIFT,
        blockSize,
        segments < 0 ? Integer.MAX_VALUE : Math.max(1, segments),
        segmentBytes(features, config.getInt(SIZE_MAX_AT), blockSize),
        has(features, DISCARD) ? range(config.getInt(MAX_DISCARD_SECTORS_AT), blockSize) : 0,
        has(features, WRITE_ZEROES) ? range(config.getInt(MAX_ZEROES_SECTORS_AT), blockSize) : 0,
        has(features, WRITE_ZEROES) && config.get(ZEROES_MAY_UNMAP_AT) != 0);
  }

  private static int segmentBytes(long features, int sizeMax, int blockSize)
      throws VhostUserException {
    // Zero stands for no limit, as it does for Linux.
    if (!has(features, SIZE_MAX) || sizeMax <= 0) {
      return Integer.MAX_VALUE & -blockSize;
    }
    if (sizeMax < blockSize) {
      throw new VhostUserException(
          "segments of at most " + sizeMax + " bytes are shorter than its blocks");
    }
    return sizeMax & -blockSize;
  }

  private static long range(int sectors, int blockSize) {
    long bytes = Math.min(Integer.toUnsignedLong(sectors), MOST_SECTORS) << SECTOR_SHIFT;
    return bytes & -blockSize;
  }

  private static boolean has(long features, long feature) {
    return (features & feature) != 0;
  }

  /** Whether what was written has to be flushed to be on stable storage. */
  boolean hasCache() {
    return has(features, FLUSH);
  }

  /** Whether it takes no writes. */
  boolean readOnly() {
    return has(features, RO);
  }

  /** Whether requests that were made for another disk, this one before for one, can go to it. */
  boolean serves(FrontEndDisk other) {
    return length >= other.length
        && blockSize <= other.blockSize
        && (other.readOnly() || !readOnly());
  }
}

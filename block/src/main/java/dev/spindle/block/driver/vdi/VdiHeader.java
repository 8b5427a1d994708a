// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vdi;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;

/**
 * The first sector of a VDI 1.1 image, as far as it matters.
 *
 * @param mapOffset where the block map begins, in bytes
 * @param dataOffset where block 0 of the data begins, in bytes
 * @param size what the image shows, in bytes, a multiple of 512
 * @param blocks entries of the map
 * @param allocated how many blocks of data there are
 */
record VdiHeader(long mapOffset, long dataOffset, long size, long blocks, long allocated) {
  static final int BYTES = 512;
  static final int BLOCK = 1 << 20;
  static final int ENTRY = 4;
  static final long SIGNATURE = 0xbeda107fL;
  static final long VERSION = 0x0001_0001;
  static final int TYPE_DYNAMIC = 1;
  static final int TYPE_STATIC = 2;

  static final int AT_SIGNATURE = 0x40;
  static final int AT_VERSION = 0x44;
  static final int AT_HEADER_SIZE = 0x48;
  static final int AT_TYPE = 0x4c;
  static final int AT_MAP_OFFSET = 0x154;
  static final int AT_DATA_OFFSET = 0x158;
  static final int AT_SECTOR_SIZE = 0x168;
  static final int AT_SIZE = 0x170;
  static final int AT_BLOCK_SIZE = 0x178;
  static final int AT_BLOCK_EXTRA = 0x17c;
  static final int AT_BLOCKS = 0x180;
  static final int AT_ALLOCATED = 0x184;
  static final int AT_UUID = 0x188;
  static final int AT_SNAPSHOT_UUID = 0x198;
  static final int AT_LINK_UUID = 0x1a8;
  static final int AT_PARENT_UUID = 0x1b8;
  static final int UUID = 16;

  /** 128 TiB: its map is looked through with 16 MiB of memory. */
  static final long MOST_BLOCKS = 1 << 27;

  /** Reads and checks it. */
  static VdiHeader read(ImageFile file) throws ImageException {
    Fields fields = file.read(0, BYTES, ByteOrder.LITTLE_ENDIAN);
    if (fields.u32(AT_SIGNATURE) != SIGNATURE) {
      throw new ImageException(file.name() + " is not a VDI image: its signature is another");
    }
    checkKind(file, fields);
    VdiHeader header =
        new VdiHeader(
            fields.u32(AT_MAP_OFFSET),
            fields.u32(AT_DATA_OFFSET),
            roundedUp(fields.u64(AT_SIZE, "the size of " + file.name())),
            fields.u32(AT_BLOCKS),
            fields.u32(AT_ALLOCATED));
    header.check(file);
    return header;
  }

  /** VirtualBox makes images of odd sizes; their last sector counts whole. */
  private static long roundedUp(long bytes) throws ImageException {
    if (bytes > MOST_BLOCKS * BLOCK) {
      throw new ImageException(
          "VDI images of more than %d bytes are not supported: this one has %d"
              .formatted(MOST_BLOCKS * BLOCK, bytes));
    }
    return (bytes + 511) & -512;
  }

  private static void checkKind(ImageFile file, Fields fields) throws ImageException {
    long version = fields.u32(AT_VERSION);
    if (version != VERSION) {
      throw refused(file, "version %d.%d".formatted(version >> 16, version & 0xffff));
    }
    long type = fields.u32(AT_TYPE);
    if (type != TYPE_DYNAMIC && type != TYPE_STATIC) {
      throw refused(file, "type " + type);
    }
    if (fields.u32(AT_SECTOR_SIZE) != 512) {
      throw refused(file, "sectors of " + fields.u32(AT_SECTOR_SIZE) + " bytes");
    }
    if (fields.u32(AT_BLOCK_SIZE) != BLOCK || fields.u32(AT_BLOCK_EXTRA) != 0) {
      throw refused(
          file,
          "blocks of %d + %d bytes"
              .formatted(fields.u32(AT_BLOCK_SIZE), fields.u32(AT_BLOCK_EXTRA)));
    }
    if (!fields.isZero(AT_LINK_UUID, UUID) || !fields.isZero(AT_PARENT_UUID, UUID)) {
      throw refused(file, "a parent image");
    }
  }

  private static ImageException refused(ImageFile file, String what) {
    return new ImageException(file.name() + ": VDI images with " + what + " are not supported");
  }

  private void check(ImageFile file) throws ImageException {
    if (blocks > MOST_BLOCKS || size > blocks * BLOCK) {
      throw new ImageException(
          "%s: a block map of %d entries does not fit a disk of %d bytes"
              .formatted(file.name(), blocks, size));
    }
    long mapEnd = mapOffset + blocks * ENTRY;
    boolean aligned = mapOffset % 512 == 0 && dataOffset % 512 == 0;
    if (!aligned || mapOffset < BYTES || mapEnd > dataOffset || mapEnd > file.length()) {
      throw new ImageException(
          "%s: the block map, %d entries at offset %d, is not between the header and the data at %d"
              .formatted(file.name(), blocks, mapOffset, dataOffset));
    }
    if (allocated > blocks) {
      throw new ImageException(
          "%s: %d blocks of %d are in use".formatted(file.name(), allocated, blocks));
    }
  }
}

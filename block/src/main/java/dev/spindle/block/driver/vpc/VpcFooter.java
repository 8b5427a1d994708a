// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vpc;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;
import java.util.Set;

/**
 * The hard disk footer of a VHD (Virtual Hard Disk Image Format Specification, "Hard Disk Footer
 * Format"): the last sector of the file, and in dynamic images its first one, too.
 *
 * @param fields all of it, as it was found
 */
record VpcFooter(Fields fields) {
  static final int BYTES = 512;
  static final int FIXED = 2;
  static final int DYNAMIC = 3;
  static final int DIFFERENCING = 4;

  static final int AT_FEATURES = 8;
  static final int AT_VERSION = 12;
  static final int AT_DATA_OFFSET = 16;
  static final int AT_TIMESTAMP = 24;
  static final int AT_CREATOR = 28;
  static final int AT_CREATOR_VERSION = 32;
  static final int AT_CREATOR_HOST = 36;
  static final int AT_ORIGINAL_SIZE = 40;
  static final int AT_CURRENT_SIZE = 48;
  static final int AT_CYLINDERS = 56;
  static final int AT_HEADS = 58;
  static final int AT_SECTORS = 59;
  static final int AT_TYPE = 60;
  static final int AT_CHECKSUM = 64;
  static final int AT_UUID = 68;
  static final int UUID = 16;

  static final String COOKIE = "conectix";

  /** 2040 GiB, in sectors: what the block allocation table can address. */
  static final long MOST_SECTORS = 0xff00_0000L;

  /** What the geometry says at most, in sectors; such a disk is at least that large. */
  private static final long MOST_BY_GEOMETRY = 65535L * 16 * 255;

  /** Programs that mean the size, whatever the geometry comes to. */
  private static final Set<String> BY_SIZE = Set.of("win ", "qem2", "d2v ", "tap", "CTXS");

  /** Finds it at the beginning of the file, or else at the end. */
  static VpcFooter read(ImageFile file) throws ImageException {
    if (file.length() >= BYTES) {
      for (long offset : new long[] {0, file.length() - BYTES}) {
        Fields fields = file.read(offset, BYTES, ByteOrder.BIG_ENDIAN);
        if (fields.text(0, COOKIE.length()).equals(COOKIE)) {
          return new VpcFooter(fields).checked(file);
        }
      }
    }
    throw new ImageException(
        file.name() + " is not a VHD image: there is no footer at its beginning or its end");
  }

  private VpcFooter checked(ImageFile file) throws ImageException {
    if (fields.u32(AT_CHECKSUM) != checksum(fields, AT_CHECKSUM)) {
      throw new ImageException(file.name() + ": the checksum of the footer is wrong");
    }
    if (fields.u32(AT_VERSION) >> 16 != 1) {
      throw new ImageException(
          "%s: version 0x%x of VHD is not supported"
              .formatted(file.name(), fields.u32(AT_VERSION)));
    }
    long type = fields.u32(AT_TYPE);
    if (type != FIXED && type != DYNAMIC) {
      throw new ImageException(
          file.name()
              + (type == DIFFERENCING
                  ? ": VHD images with a parent are not supported"
                  : ": VHD images of type " + type + " are not supported"));
    }
    if (sectors() > MOST_SECTORS || sectors() < 0) {
      throw new ImageException(
          "%s: %d sectors are more than a VHD image can have".formatted(file.name(), sectors()));
    }
    return this;
  }

  /** The sum of all bytes but the four where it is kept, each bit turned round. */
  static long checksum(Fields fields, int at) {
    int sum = 0;
    for (int i = 0; i < fields.size(); i++) {
      if (i < at || i >= at + 4) {
        sum += fields.u8(i);
      }
    }
    return ~sum & 0xffff_ffffL;
  }

  boolean isDynamic() {
    return fields.u32(AT_TYPE) == DYNAMIC;
  }

  long dataOffset() throws ImageException {
    return fields.u64(AT_DATA_OFFSET, "the offset of the dynamic disk header");
  }

  /**
   * How long the disk is. Virtual PC goes by the geometry, and so do the programs that follow it.
   */
  private long sectors() {
    long geometry = (long) fields.u16(AT_CYLINDERS) * fields.u8(AT_HEADS) * fields.u8(AT_SECTORS);
    boolean bySize = BY_SIZE.contains(fields.text(AT_CREATOR, 4));
    return bySize || geometry == MOST_BY_GEOMETRY ? fields.bits64(AT_CURRENT_SIZE) / 512 : geometry;
  }

  /** What the image shows, in bytes. */
  long size() {
    return sectors() * 512;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vmdk;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;

/**
 * The header of a hosted sparse extent (Virtual Disk Format, "Hosted Sparse Extent Header").
 *
 * @param version 1 to 3
 * @param flags as there
 * @param capacity what it holds of the disk, in bytes
 * @param grainBytes in what pieces
 * @param descriptorOffset of the embedded text, in bytes; 0 if there is none
 * @param descriptorBytes room for it
 * @param tableEntries grains in one table
 * @param directory where the directory is, in bytes
 * @param backup where its copy is, in bytes; 0 if there is none
 * @param overhead sectors before the first grain
 */
record SparseHeader(
    long version,
    long flags,
    long capacity,
    long grainBytes,
    long descriptorOffset,
    long descriptorBytes,
    int tableEntries,
    long directory,
    long backup,
    long overhead) {
  static final int BYTES = 512;
  static final String MAGIC = "KDMV";
  static final int FLAG_BACKUP = 2;
  static final int FLAG_ZEROED = 4;
  static final int FLAG_COMPRESSED = 1 << 16;
  static final int FLAG_MARKERS = 1 << 17;
  private static final int DEFLATE = 1;

  /** Says that the header's copy at the end of the file is the valid one. */
  private static final long AT_END = -1;

  private static final long MOST_SECTORS = 1L << 33;
  private static final long MOST_TABLES = 1 << 18;
  private static final long MOST_GRAIN = 1 << 16;
  private static final long MOST_PACKED_GRAIN = 4096;

  /** Whether a file begins as one. */
  static boolean begins(ImageFile file) throws ImageException {
    return file.length() >= BYTES
        && file.read(0, BYTES, ByteOrder.LITTLE_ENDIAN).text(0, MAGIC.length()).equals(MAGIC);
  }

  static SparseHeader read(ImageFile file) throws ImageException {
    Fields fields = file.read(0, BYTES, ByteOrder.LITTLE_ENDIAN);
    if (fields.bits64(56) == AT_END) {
      Fields end = file.read(file.length() - 3 * BYTES, 3 * BYTES, ByteOrder.LITTLE_ENDIAN);
      boolean marked =
          end.bits64(0) == 1 && end.u32(8) == 0 && end.u32(12) == 3 && end.isZero(2 * BYTES, 16);
      fields = end.part(BYTES, BYTES);
      if (!marked || !fields.text(0, MAGIC.length()).equals(MAGIC)) {
        throw new ImageException(
            file.name() + " does not end with a footer: it may have been cut off");
      }
    }
    return parse(file, fields);
  }

  private static SparseHeader parse(ImageFile file, Fields fields) throws ImageException {
    long flags = fields.u32(8);
    SparseHeader header =
        new SparseHeader(
            fields.u32(4),
            flags,
            sectors(file, fields, 12, "capacity"),
            sectors(file, fields, 20, "grain size"),
            sectors(file, fields, 28, "descriptor offset"),
            sectors(file, fields, 36, "descriptor size"),
            (int) Math.min(fields.u32(44), Integer.MAX_VALUE),
            sectors(file, fields, 56, "grain directory offset"),
            (flags & FLAG_BACKUP) == 0
                ? 0
                : sectors(file, fields, 48, "redundant grain directory offset"),
            sectors(file, fields, 64, "overhead") / 512);
    header.check(file, fields.u16(77));
    return header;
  }

  /** In bytes. */
  private static long sectors(ImageFile file, Fields fields, int at, String what)
      throws ImageException {
    long sectors = fields.bits64(at);
    if (sectors < 0 || sectors > MOST_SECTORS) {
      throw new ImageException(
          "%s: the %s cannot be %s sectors"
              .formatted(file.name(), what, Long.toUnsignedString(sectors)));
    }
    return sectors * 512;
  }

  private void check(ImageFile file, int algorithm) throws ImageException {
    if (version < 1 || version > 3) {
      throw new ImageException(
          "%s: version %d of VMDK is not supported".formatted(file.name(), version));
    }
    long grain = grainBytes / 512;
    if (Long.bitCount(grain) != 1
        || grain < 8
        || grain > (compressed() ? MOST_PACKED_GRAIN : MOST_GRAIN)) {
      throw new ImageException(
          "%s: grains of %d bytes are not supported".formatted(file.name(), grainBytes));
    }
    if (tableEntries < 1 || tableEntries > 512) {
      throw new ImageException(
          "%s: grain tables of %d entries are not supported".formatted(file.name(), tableEntries));
    }
    if (tables() > MOST_TABLES) {
      throw new ImageException(
          "%s: a grain directory of %d entries is not supported".formatted(file.name(), tables()));
    }
    if (compressed() && (algorithm != DEFLATE || (flags & FLAG_MARKERS) == 0)) {
      throw new ImageException(
          file.name() + ": grains are compressed in a way that is not supported");
    }
    checkDirectory(file, directory);
    if (backup != 0) {
      checkDirectory(file, backup);
    }
  }

  private void checkDirectory(ImageFile file, long at) throws ImageException {
    if (at < BYTES || at > file.length() || tables() * 4 > file.length() - at) {
      throw new ImageException(
          "%s: the grain directory at offset %d, of %d entries, is not inside the file"
              .formatted(file.name(), at, tables()));
    }
  }

  /** Entries of the directory. */
  long tables() {
    long covered = grainBytes * tableEntries;
    return (capacity + covered - 1) / covered;
  }

  boolean hasZeroedGrains() {
    return (flags & FLAG_ZEROED) != 0;
  }

  boolean compressed() {
    return (flags & FLAG_COMPRESSED) != 0;
  }
}

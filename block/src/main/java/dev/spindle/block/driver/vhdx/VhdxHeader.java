// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * The current one of the two headers (MS-VHDX 2.2.2).
 *
 * @param offset where it is in the file, in bytes
 * @param fields all of it
 */
record VhdxHeader(long offset, Fields fields) {
  static final int BYTES = 4096;
  static final long FIRST = 64 << 10;
  static final long SECOND = 128 << 10;
  static final long MIB = 1 << 20;

  /** The most bytes of log that are looked through; programs make logs of 1 MiB. */
  static final long MOST_LOG = 16 << 20;

  private static final String FILE_SIGNATURE = "vhdxfile";
  private static final String SIGNATURE = "head";
  private static final int AT_CHECKSUM = 4;
  private static final int AT_SEQUENCE = 8;
  private static final int AT_FILE_GUID = 16;
  private static final int AT_DATA_GUID = 32;
  private static final int AT_LOG_GUID = 48;
  private static final int AT_LOG_VERSION = 64;
  private static final int AT_VERSION = 66;
  private static final int AT_LOG_LENGTH = 68;
  private static final int AT_LOG_OFFSET = 72;

  /** Finds and checks it. */
  static VhdxHeader read(ImageFile file) throws ImageException {
    Fields start = file.read(0, 512, ByteOrder.LITTLE_ENDIAN);
    if (!start.text(0, FILE_SIGNATURE.length()).equals(FILE_SIGNATURE)) {
      throw new ImageException(file.name() + " is not a VHDX image: it begins as none");
    }
    Optional<VhdxHeader> first = readOne(file, FIRST);
    Optional<VhdxHeader> second = readOne(file, SECOND);
    if (first.isEmpty() && second.isEmpty()) {
      throw new ImageException(file.name() + " has no valid header");
    }
    VhdxHeader current =
        second.isEmpty() || (first.isPresent() && first.get().sequence() >= second.get().sequence())
            ? first.get()
            : second.get();
    current.check(file);
    return current;
  }

  private static Optional<VhdxHeader> readOne(ImageFile file, long offset) throws ImageException {
    Fields fields = file.read(offset, BYTES, ByteOrder.LITTLE_ENDIAN);
    boolean valid =
        fields.text(0, SIGNATURE.length()).equals(SIGNATURE)
            && fields.u32(AT_CHECKSUM) == checksum(fields)
            && fields.bits64(AT_SEQUENCE) >= 0;
    return valid ? Optional.of(new VhdxHeader(offset, fields)) : Optional.empty();
  }

  /** CRC-32C of a structure whose own checksum, four bytes at 4, counts as zero. */
  static long checksum(Fields fields) {
    CRC32C crc = new CRC32C();
    crc.update(fields.memory().asSlice(0, AT_CHECKSUM).asByteBuffer());
    crc.update(new byte[4]);
    crc.update(fields.memory().asSlice(AT_CHECKSUM + 4).asByteBuffer());
    return crc.getValue();
  }

  /** A header of an image that has never been in use. */
  static Fields fields(
      long sequence, UUID fileGuid, UUID dataGuid, long logOffset, long logLength) {
    Fields fields = Fields.zeroes(BYTES, ByteOrder.LITTLE_ENDIAN).put(0, SIGNATURE);
    fields.put64(AT_SEQUENCE, sequence).put16(AT_VERSION, 1);
    fields.put(AT_FILE_GUID, VhdxGuid.bytes(fileGuid));
    fields.put(AT_DATA_GUID, VhdxGuid.bytes(dataGuid));
    fields.put32(AT_LOG_LENGTH, logLength).put64(AT_LOG_OFFSET, logOffset);
    return fields.put32(AT_CHECKSUM, checksum(fields));
  }

  private void check(ImageFile file) throws ImageException {
    if (fields.u16(AT_VERSION) != 1 || fields.u16(AT_LOG_VERSION) != 0) {
      throw new ImageException(
          "%s: version %d of VHDX, with version %d of its log, is not supported"
              .formatted(file.name(), fields.u16(AT_VERSION), fields.u16(AT_LOG_VERSION)));
    }
    long length = logLength();
    boolean aligned = length % MIB == 0 && logOffset() % MIB == 0;
    boolean inside = logOffset() >= MIB && logOffset() <= file.length() - length;
    if (!aligned || !inside || length > MOST_LOG) {
      throw new ImageException(
          "%s: there can be no log of %d bytes at offset %d"
              .formatted(file.name(), length, logOffset()));
    }
  }

  private long sequence() {
    return fields.bits64(AT_SEQUENCE);
  }

  UUID logGuid() {
    return VhdxGuid.read(fields, AT_LOG_GUID);
  }

  boolean logIsEmpty() {
    return logGuid().equals(VhdxGuid.NONE);
  }

  long logLength() {
    return fields.u32(AT_LOG_LENGTH);
  }

  long logOffset() {
    return fields.bits64(AT_LOG_OFFSET);
  }

  /** Says that the log is empty. Returns the header that is current then. */
  VhdxHeader withEmptyLog(ImageFile file) throws ImageException {
    return write(file, copy().put(AT_LOG_GUID, VhdxGuid.bytes(VhdxGuid.NONE)));
  }

  /** Says that the file and the disk are others now. Returns the header that is current then. */
  VhdxHeader changed(ImageFile file) throws ImageException {
    Fields next = copy();
    next.put(AT_FILE_GUID, VhdxGuid.bytes(UUID.randomUUID()));
    next.put(AT_DATA_GUID, VhdxGuid.bytes(UUID.randomUUID()));
    return write(file, next);
  }

  private Fields copy() {
    return Fields.zeroes(BYTES, ByteOrder.LITTLE_ENDIAN).put(0, fields.bytes(0, BYTES));
  }

  /** Writes to the other place, so that one header is valid at any time. */
  private VhdxHeader write(ImageFile file, Fields next) throws ImageException {
    next.put64(AT_SEQUENCE, sequence() + 1);
    next.put32(AT_CHECKSUM, checksum(next));
    VhdxHeader header = new VhdxHeader(offset == FIRST ? SECOND : FIRST, next);
    file.flush();
    file.write(header.offset, next);
    file.flush();
    return header;
  }
}

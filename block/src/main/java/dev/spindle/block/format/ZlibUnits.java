// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Parts of an image that zlib has packed, of which the one used last is kept. The caller holds the
 * image's lock, and sees to it that sizes are small.
 */
public final class ZlibUnits {
  private long unitOffset = -1;
  private byte[] unit = new byte[0];

  /**
   * Copies some of what a part holds.
   *
   * @param offset of the packed part in the file, in bytes
   * @param packedBytes of it, at most {@link ImageFile#MOST_METADATA}
   * @param bytes that it holds unpacked
   * @param from first byte of them to copy
   * @param target where to; as many bytes as it has are copied
   * @throws ImageException if it cannot be unpacked, or holds less
   */
  public void copy(
      ImageFile file, long offset, long packedBytes, int bytes, long from, MemorySegment target)
      throws ImageException {
    if (offset != unitOffset || unit.length != bytes) {
      unitOffset = -1;
      unit = inflate(file, offset, packedBytes, bytes);
      unitOffset = offset;
    }
    MemorySegment.copy(
        unit, (int) from, target, ValueLayout.JAVA_BYTE, 0, Math.toIntExact(target.byteSize()));
  }

  private static byte[] inflate(ImageFile file, long offset, long packedBytes, int bytes)
      throws ImageException {
    file.checkInside(offset, packedBytes);
    Fields packed = file.read(offset, (int) packedBytes, ByteOrder.LITTLE_ENDIAN);
    byte[] unit = new byte[bytes];
    try (Inflater inflater = new Inflater()) {
      inflater.setInput(packed.memory().asByteBuffer());
      int done = 0;
      int count = 1;
      while (done < bytes && count > 0) {
        count = inflater.inflate(unit, done, bytes - done);
        done += count;
      }
      if (done < bytes) {
        throw new ImageException(
            "%s: what is packed at offset %d holds %d bytes instead of %d"
                .formatted(file.name(), offset, done, bytes));
      }
      return unit;
    } catch (DataFormatException e) {
      throw new ImageException(
          "%s: what is packed at offset %d cannot be unpacked".formatted(file.name(), offset));
    }
  }
}

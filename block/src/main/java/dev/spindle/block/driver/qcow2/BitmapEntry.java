// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.linux.Errno;
import java.nio.ByteBuffer;

/**
 * A persistent bitmap as the image's bitmap directory lists it (specification: "Bitmap directory").
 *
 * @param tableOffset where its table is, bytes
 * @param tableSize entries of that, as an unsigned number
 * @param extraData of programs that know more; kept, not to be changed
 * @param nameBytes its name, in UTF-8; not to be changed
 */
record BitmapEntry(
    long tableOffset,
    int tableSize,
    int flags,
    int granularityBits,
    byte[] extraData,
    byte[] nameBytes) {
  /** It was not stored since it changed, or may have. */
  static final int IN_USE = 1;

  /** It records what is written. */
  static final int AUTO = 1 << 1;

  /** Who does not know the extra data can use it all the same. */
  static final int EXTRA_DATA_COMPATIBLE = 1 << 2;

  static final int LEAST_GRANULARITY_BITS = 9;
  static final int MOST_GRANULARITY_BITS = 31;
  static final int MOST_NAME = 1023;

  /** The most bytes of data that one bitmap has, as in QEMU. */
  static final long MOST_DATA = 512 << 20;

  /** Where the flags are in an entry. */
  static final int FLAGS_AT = 12;

  private static final int FIXED = 24;
  private static final int DIRTY_TRACKING = 1;

  /**
   * Reads one.
   *
   * @param from the rest of the directory; goes on behind the entry
   */
  static BitmapEntry read(ByteBuffer from) throws Qcow2Exception {
    if (from.remaining() < FIXED) {
      throw refusal("the bitmap directory ends within an entry");
    }
    int at = from.position();
    int type = from.get(at + 16) & 0xff;
    int nameLength = from.getShort(at + 18) & 0xffff;
    int extraLength = from.getInt(at + 20);
    if (extraLength < 0 || bytes(extraLength, nameLength) > from.remaining()) {
      throw refusal("the bitmap directory ends within an entry");
    }
    byte[] extra = new byte[extraLength];
    byte[] name = new byte[nameLength];
    from.get(at + FIXED, extra).get(at + FIXED + extraLength, name);
    BitmapEntry entry =
        new BitmapEntry(
            from.getLong(at),
            from.getInt(at + 8),
            from.getInt(at + FLAGS_AT),
            from.get(at + 17) & 0xff,
            extra,
            name);
    if (type != DIRTY_TRACKING) {
      throw refusal("bitmap '%s' has the unknown type %d".formatted(entry.name(), type));
    }
    from.position(at + entry.bytes());
    return entry;
  }

  /** What an entry takes in the directory, padding included. */
  static int bytes(int extraLength, int nameLength) {
    return (int) Math.min(Integer.MAX_VALUE, (long) FIXED + extraLength + nameLength + 7 & -8L);
  }

  private static Qcow2Exception refusal(String words) {
    return new Qcow2Exception(Errno.EINVAL, "Broken bitmap directory: " + words);
  }

  /** What it takes in the directory, padding included. */
  int bytes() {
    return bytes(extraData.length, nameBytes.length);
  }

  void put(ByteBuffer target) {
    int end = target.position() + bytes();
    target.putLong(tableOffset).putInt(tableSize).putInt(flags);
    target.put((byte) DIRTY_TRACKING).put((byte) granularityBits);
    target.putShort((short) nameBytes.length).putInt(extraData.length);
    target.put(extraData).put(nameBytes).position(end);
  }

  String name() {
    return new String(nameBytes, UTF_8);
  }

  boolean inUse() {
    return (flags & IN_USE) != 0;
  }

  boolean auto() {
    return (flags & AUTO) != 0;
  }

  /** Whether this driver knows all that it needs to know to use it. */
  boolean isKnown() {
    return extraData.length == 0 || (flags & EXTRA_DATA_COMPATIBLE) != 0;
  }

  /** Bytes for one bit. */
  long granularity() {
    return 1L << granularityBits;
  }

  BitmapEntry withFlags(int newFlags) {
    return new BitmapEntry(tableOffset, tableSize, newFlags, granularityBits, extraData, nameBytes);
  }

  /** Clusters that the table of a bitmap of a disk has entries for. */
  static long tableSize(Geometry geometry, long length, long granularity) {
    long bits = length / granularity + (length % granularity == 0 ? 0 : 1);
    return geometry.clusters((bits + 7) >>> 3);
  }

  /**
   * Refuses what cannot be.
   *
   * @param length of the disk, bytes
   */
  void check(Geometry geometry, long length) throws Qcow2Exception {
    boolean possible =
        tableSize > 0
            && tableOffset > 0
            && geometry.isAligned(tableOffset)
            && tableOffset <= Geometry.HOST_END - 8L * tableSize
            && (long) tableSize << geometry.clusterBits() <= MOST_DATA
            && granularityBits >= LEAST_GRANULARITY_BITS
            && granularityBits <= MOST_GRANULARITY_BITS
            && (flags & ~(IN_USE | AUTO | EXTRA_DATA_COMPATIBLE)) == 0
            && nameBytes.length > 0
            && nameBytes.length <= MOST_NAME;
    if (!possible) {
      throw refusal("bitmap '%s' is described by what cannot be".formatted(name()));
    }
    if (!inUse() && isKnown() && tableSize < tableSize(geometry, length, granularity())) {
      throw refusal("bitmap '%s' is too small for the disk".formatted(name()));
    }
  }
}

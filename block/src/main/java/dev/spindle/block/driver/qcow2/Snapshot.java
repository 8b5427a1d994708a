// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.linux.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * An internal snapshot, as the image's snapshot table has it.
 *
 * @param l1Offset where its L1 table is, bytes
 * @param l1Size entries of that
 * @param seconds when it was taken, since 1970
 * @param nanoseconds the rest of that
 * @param vmClock how long the guest had run, nanoseconds
 * @param vmStateBytes of a machine's state
 * @param diskSize of the disk then, bytes; 0 if the table does not say
 * @param instructionCount how many instructions the guest had run, or {@link #NO_COUNT}
 * @param tableBytes what its entry takes in the table, padding included
 */
record Snapshot(
    long l1Offset,
    int l1Size,
    String id,
    String name,
    long seconds,
    int nanoseconds,
    long vmClock,
    long vmStateBytes,
    long diskSize,
    long instructionCount,
    int tableBytes) {
  private static final int FIXED = 40;
  private static final int MOST_EXTRA = 1024;
  private static final int NEW_EXTRA = 24;

  /** Of a machine that does not count instructions. */
  static final long NO_COUNT = -1;

  /** The longest snapshot table that is read, in bytes. */
  private static final long MOST_TABLE = 64 << 20;

  /** The most bytes that the L1 tables of all snapshots may take together. */
  private static final long MOST_L1_TABLES = 1 << 30;

  /** Reads an image's snapshot table. */
  static List<Snapshot> readAll(Storage file, Qcow2Header header) throws Qcow2Exception {
    List<Snapshot> snapshots = new ArrayList<>();
    Geometry geometry = Geometry.of(header);
    long offset = header.snapshotsOffset();
    long l1Bytes = 0;
    for (int i = 0; i < header.snapshotCount(); i++) {
      Snapshot snapshot = read(file, offset);
      check(geometry, snapshot);
      snapshots.add(snapshot);
      l1Bytes += 8L * snapshot.l1Size;
      if (l1Bytes > MOST_L1_TABLES) {
        throw new Qcow2Exception(Errno.EFBIG, "The snapshots' L1 tables are too large together");
      }
      offset += snapshot.tableBytes;
      if (offset - header.snapshotsOffset() > MOST_TABLE) {
        throw new Qcow2Exception(Errno.EFBIG, "Snapshot table too large");
      }
    }
    return snapshots;
  }

  private static Snapshot read(Storage file, long offset) throws Qcow2Exception {
    ByteBuffer fixed = ByteBuffer.wrap(Bytes.read(file, offset, FIXED));
    int extraBytes = fixed.getInt(36);
    int idBytes = fixed.getShort(12) & 0xffff;
    int nameBytes = fixed.getShort(14) & 0xffff;
    if (extraBytes < 0 || extraBytes > MOST_EXTRA) {
      throw new Qcow2Exception(Errno.EINVAL, "Snapshot table entry has too much extra data");
    }
    int all = FIXED + extraBytes + idBytes + nameBytes;
    ByteBuffer entry = ByteBuffer.wrap(Bytes.read(file, offset, all));
    byte[] text = entry.array();
    return new Snapshot(
        entry.getLong(0),
        entry.getInt(8),
        new String(text, FIXED + extraBytes, idBytes, UTF_8),
        new String(text, FIXED + extraBytes + idBytes, nameBytes, UTF_8),
        entry.getInt(16) & 0xffff_ffffL,
        entry.getInt(20),
        entry.getLong(24),
        extraBytes >= 8 ? entry.getLong(FIXED) : entry.getInt(32) & 0xffff_ffffL,
        extraBytes >= 16 ? entry.getLong(FIXED + 8) : 0,
        extraBytes >= 24 ? entry.getLong(FIXED + 16) : NO_COUNT,
        all + 7 & -8);
  }

  private static void check(Geometry geometry, Snapshot snapshot) throws Qcow2Exception {
    if (snapshot.l1Size < 0 || 8L * snapshot.l1Size > Geometry.MOST_L1) {
      throw new Qcow2Exception(Errno.EFBIG, "Snapshot L1 table too large");
    }
    if (snapshot.l1Offset < 0
        || !geometry.isAligned(snapshot.l1Offset)
        || snapshot.l1Offset > Geometry.HOST_END - 8L * snapshot.l1Size) {
      throw new Qcow2Exception(Errno.EINVAL, "Snapshot L1 table offset invalid");
    }
  }

  /** Its entry in the table, with all that version 3 has to say, padding included. */
  byte[] encode() {
    byte[] idBytes = id.getBytes(UTF_8);
    byte[] nameBytes = name.getBytes(UTF_8);
    ByteBuffer entry = ByteBuffer.allocate(newBytes());
    entry.putLong(l1Offset).putInt(l1Size);
    entry.putShort((short) idBytes.length).putShort((short) nameBytes.length);
    entry.putInt((int) seconds).putInt(nanoseconds).putLong(vmClock);
    entry.putInt(vmStateBytes > Integer.MAX_VALUE ? 0 : (int) vmStateBytes);
    entry.putInt(NEW_EXTRA).putLong(vmStateBytes).putLong(diskSize).putLong(instructionCount);
    entry.put(idBytes).put(nameBytes);
    return entry.array();
  }

  /** What {@link #encode} takes. */
  int newBytes() {
    return FIXED + NEW_EXTRA + id.getBytes(UTF_8).length + name.getBytes(UTF_8).length + 7 & -8;
  }

  /** The same, as {@link #encode} has it. */
  Snapshot encoded() {
    return new Snapshot(
        l1Offset,
        l1Size,
        id,
        name,
        seconds,
        nanoseconds,
        vmClock,
        vmStateBytes,
        diskSize,
        instructionCount,
        newBytes());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The persistent bitmaps that an image lists, as they are in its file. Changed under the image's
 * lock, read by any thread.
 */
final class BitmapDirectory {
  static final int MOST_BITMAPS = 65535;
  static final int MOST_BYTES = 1024 * MOST_BITMAPS;

  /** The most entries that the tables of all bitmaps have together. */
  private static final long MOST_TABLES = 8 << 20;

  private static final int EXTENSION = 24;

  private final Geometry geometry;
  private volatile List<BitmapEntry> entries;
  private long offset;

  private BitmapDirectory(Geometry geometry, List<BitmapEntry> entries, long offset) {
    this.geometry = geometry;
    this.entries = List.copyOf(entries);
    this.offset = offset;
  }

  /**
   * Reads an image's, with what tells where the bitmaps are. If a program that does not know
   * bitmaps has written to the image, it has none.
   *
   * @param clusters gets those of all bitmaps
   */
  static BitmapDirectory read(Storage file, Qcow2Header header, MetadataClusters clusters)
      throws Qcow2Exception {
    Geometry geometry = Geometry.of(header);
    Optional<HeaderExtension> extension = extension(header);
    if (extension.isEmpty() || !isTrusted(header)) {
      return new BitmapDirectory(geometry, List.of(), 0);
    }
    if (extension.get().data().length != EXTENSION) {
      throw refusal("its header extension has %d bytes", extension.get().data().length);
    }
    ByteBuffer words = ByteBuffer.wrap(extension.get().data());
    int count = words.getInt(0);
    long size = words.getLong(8);
    long offset = words.getLong(16);
    if (count <= 0 || count > MOST_BITMAPS) {
      throw refusal("it has %s bitmaps", Integer.toUnsignedString(count));
    }
    if (words.getInt(4) != 0
        || size <= 0
        || size > MOST_BYTES
        || offset <= 0
        || !geometry.isAligned(offset)
        || offset + size - geometry.clusterSize() >= file.length()) {
      throw refusal("%s bytes at %#x", Long.toUnsignedString(size), offset);
    }
    ByteBuffer all = ByteBuffer.wrap(Bytes.read(file, offset, (int) size));
    List<BitmapEntry> entries = new ArrayList<>();
    Set<String> names = new HashSet<>();
    long tables = 0;
    for (int i = 0; i < count; i++) {
      BitmapEntry entry = BitmapEntry.read(all);
      entry.check(geometry, header.size() & -512);
      tables += entry.tableSize();
      if (!names.add(entry.name())) {
        throw refusal("two bitmaps are called '%s'", entry.name());
      }
      entries.add(entry);
    }
    if (all.hasRemaining()) {
      throw refusal("%d bytes follow its last entry", all.remaining());
    }
    if (tables > MOST_TABLES) {
      throw new Qcow2Exception(Errno.EFBIG, "The bitmaps' tables are too large together");
    }
    BitmapDirectory directory = new BitmapDirectory(geometry, entries, offset);
    for (BitmapEntry entry : entries) {
      directory.addClusters(entry, BitmapTable.read(file, geometry, entry), clusters);
    }
    int bits = geometry.clusterBits();
    clusters.add(offset >>> bits, geometry.clusters(size));
    return directory;
  }

  private void addClusters(BitmapEntry entry, BitmapTable table, MetadataClusters clusters) {
    int bits = geometry.clusterBits();
    clusters.add(entry.tableOffset() >>> bits, geometry.clusters(8L * entry.tableSize()));
    for (long cluster : table.clusters()) {
      clusters.add(cluster >>> bits, 1);
    }
  }

  private static Qcow2Exception refusal(String words, Object... values) {
    return new Qcow2Exception(Errno.EINVAL, "Broken bitmap directory: " + words.formatted(values));
  }

  private static Optional<HeaderExtension> extension(Qcow2Header header) {
    return HeaderExtension.find(header.extensions(), HeaderExtension.BITMAPS);
  }

  private static boolean isTrusted(Qcow2Header header) {
    return (header.autoclear() & Features.BITMAPS) != 0;
  }

  /** Whether the header leads to bitmaps that are not to be trusted. */
  static boolean isStale(Qcow2Header header) {
    return extension(header).isPresent() && !isTrusted(header);
  }

  /** In the image's order. */
  List<BitmapEntry> entries() {
    return entries;
  }

  /** Where it is, bytes. */
  long offset() {
    return offset;
  }

  /** What it takes, bytes. */
  int bytes() {
    return bytes(entries);
  }

  /** The entry of a name, or null. */
  BitmapEntry find(String name) {
    for (BitmapEntry entry : entries) {
      if (entry.name().equals(name)) {
        return entry;
      }
    }
    return null;
  }

  /**
   * The image is going to be written: has all bitmaps say that they may be wrong, and forgets those
   * that are not to be trusted. On stable storage when it returns.
   */
  void begin(Storage file, HeaderFile header) throws Qcow2Exception {
    if (isStale(header.get())) {
      header.setBitmaps(file, Optional.empty());
    }
    if (entries.stream().allMatch(BitmapDirectory::isMarked)) {
      return;
    }
    byte[] all = Bytes.read(file, offset, bytes());
    List<BitmapEntry> marked = new ArrayList<>();
    int at = 0;
    for (BitmapEntry entry : entries) {
      BitmapEntry next =
          isMarked(entry) ? entry : entry.withFlags(entry.flags() | BitmapEntry.IN_USE);
      ByteBuffer.wrap(all).putInt(at + BitmapEntry.FLAGS_AT, next.flags());
      marked.add(next);
      at += entry.bytes();
    }
    Bytes.write(file, offset, all);
    file.flush();
    entries = List.copyOf(marked);
  }

  /** Those that nobody here can use stay as they are, unless they should have recorded. */
  private static boolean isMarked(BitmapEntry entry) {
    return entry.inUse() || (!entry.isKnown() && !entry.auto());
  }

  /** Writes a directory to clusters that are taken for it; returns where, 0 for an empty one. */
  static long write(SharedTables tables, List<BitmapEntry> entries) throws Qcow2Exception {
    if (entries.isEmpty()) {
      return 0;
    }
    ByteBuffer all = ByteBuffer.allocate(bytes(entries));
    entries.forEach(entry -> entry.put(all));
    return tables.write(all.array());
  }

  /** What some bitmaps take in a directory, bytes. */
  static int bytes(List<BitmapEntry> entries) {
    return entries.stream().mapToInt(BitmapEntry::bytes).sum();
  }

  /**
   * Has the header lead to a directory that is on stable storage. If that fails, nobody knows where
   * the header leads.
   *
   * @param place where {@link #write} has put it
   */
  void lead(Storage file, HeaderFile header, List<BitmapEntry> next, long place)
      throws Qcow2Exception {
    if (next.isEmpty()) {
      header.setBitmaps(file, Optional.empty());
    } else {
      ByteBuffer words = ByteBuffer.allocate(EXTENSION);
      words.putInt(next.size()).putInt(0).putLong(bytes(next)).putLong(place);
      header.setBitmaps(file, Optional.of(words.array()));
    }
    offset = place;
    entries = List.copyOf(next);
  }
}

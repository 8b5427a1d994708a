// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

/**
 * The tables that an image and its snapshots share: who refers to them how often, and the flags
 * that say whether it is once. With the image's lock; its tables are in the file.
 */
final class SharedTables {
  private final Qcow2Image image;
  private final Storage file;
  private final Geometry geometry;
  private final Metadata metadata;
  private final Refcounts refcounts;

  SharedTables(Qcow2Image image, Storage file) {
    this.image = image;
    this.file = file;
    this.geometry = image.geometry();
    this.metadata = image.metadata();
    this.refcounts = metadata.refcounts();
  }

  long[] activeL1() {
    long[] l1 = new long[image.map().l1Size()];
    for (int i = 0; i < l1.length; i++) {
      l1[i] = image.map().l1At(i);
    }
    return l1;
  }

  long[] readL1(Snapshot snapshot) throws Qcow2Exception {
    return Bytes.readLongs(file, snapshot.l1Offset(), snapshot.l1Size());
  }

  /** Writes bytes to clusters that are taken for them; returns where, in bytes. */
  long write(byte[] bytes) throws Qcow2Exception {
    long count = geometry.clusters(bytes.length);
    long first = metadata.allocate(file, count);
    long offset = first << geometry.clusterBits();
    byte[] whole = new byte[Math.toIntExact(count << geometry.clusterBits())];
    System.arraycopy(bytes, 0, whole, 0, bytes.length);
    metadata.clusters().add(first, count);
    Bytes.write(file, offset, whole);
    return offset;
  }

  /** Writes an L1 table for a snapshot; returns where, in bytes. */
  long writeL1(long[] l1) throws Qcow2Exception {
    long[] entries = new long[l1.length];
    for (int i = 0; i < l1.length; i++) {
      entries[i] = l1[i] & ~Entry.COPIED;
    }
    return l1.length == 0 ? 0 : write(Bytes.ofLongs(entries, 0, entries.length));
  }

  /** Gives back the clusters of some bytes that nothing refers to any more. */
  void giveBack(long offset, long bytes) throws Qcow2Exception {
    if (bytes > 0) {
      addTo(offset >>> geometry.clusterBits(), geometry.clusters(bytes), -1);
    }
  }

  private void addTo(long first, long count, int change) throws Qcow2Exception {
    for (long cluster = first; cluster < first + count; cluster++) {
      long before = refcounts.get(file, cluster);
      if (before == 0) {
        throw new CorruptImageException(
            "cluster %d is used, and counts as free".formatted(cluster));
      }
      refcounts.add(file, cluster, 1, change);
      if (before + change == 0) {
        metadata.clusters().remove(cluster, 1);
        metadata.forgetPacked(cluster);
      }
    }
  }

  /** What is done with each run of clusters that tables refer to. */
  @FunctionalInterface
  private interface Visit {
    void clusters(long first, long count) throws Qcow2Exception;
  }

  /**
   * Adds 1 or -1 to the refcounts of all that an L1 table leads to.
   *
   * @throws UncountableException if some cannot be so high; nothing has changed then
   */
  void addToAll(long[] l1, int change) throws Qcow2Exception {
    long[] done = new long[1];
    try {
      visitAll(
          l1,
          (first, count) -> {
            addTo(first, count, change);
            done[0]++;
          });
    } catch (UncountableException e) {
      long[] left = done.clone();
      visitAll(
          l1,
          (first, count) -> {
            if (left[0]-- > 0) {
              addTo(first, count, -change);
            }
          });
      throw e;
    }
  }

  private void visitAll(long[] l1, Visit visit) throws Qcow2Exception {
    for (long entry : l1) {
      long table = Entry.host(entry);
      if (table == 0) {
        continue;
      }
      long[] words = readL2(table);
      for (int i = 0; i < words.length; i += 1 << geometry.entryWordsOrder()) {
        visit(words[i], visit);
      }
      visit.clusters(table >>> geometry.clusterBits(), 1);
    }
  }

  private void visit(long descriptor, Visit visit) throws Qcow2Exception {
    int bits = geometry.clusterBits();
    if (Entry.isCompressed(descriptor)) {
      long start = Compressed.offset(geometry, descriptor);
      long end = start + Compressed.bytes(geometry, descriptor);
      // One at a time, for what fails in the middle is taken back by their number.
      for (long cluster = start >>> bits; cluster <= (end - 1) >>> bits; cluster++) {
        visit.clusters(cluster, 1);
      }
    } else if (Entry.host(descriptor) != 0) {
      if (!geometry.isAligned(Entry.host(descriptor))) {
        throw new CorruptImageException(
            "a cluster is said to be at %#x, where none can be".formatted(Entry.host(descriptor)));
      }
      visit.clusters(Entry.host(descriptor) >>> bits, 1);
    }
  }

  private long[] readL2(long table) throws Qcow2Exception {
    if (!geometry.isAligned(table) || table >= file.length()) {
      throw new CorruptImageException(
          "an L2 table is said to be at %#x, where it cannot be".formatted(table));
    }
    return Bytes.readLongs(file, table, geometry.clusterSize() / 8);
  }

  /** Has the image show what another L1 table leads to, which is no longer than its own. */
  void replaceActive(long[] next) throws Qcow2Exception {
    for (int i = 0; i < image.map().l1Size(); i++) {
      long entry = i < next.length ? next[i] & ~Entry.COPIED : 0;
      image.map().setL1(i, entry);
      if (Entry.host(entry) != 0) {
        metadata.clusters().add(Entry.host(entry) >>> geometry.clusterBits(), 1);
      }
    }
    image.map().cache().clear();
    image.decompressor().forget();
    metadata.writeWholeL1(file);
    file.flush();
  }

  /** Has the active tables' flags say which refcounts are exactly one. */
  void correctFlags() throws Qcow2Exception {
    int bits = geometry.clusterBits();
    boolean changed = false;
    for (int i = 0; i < image.map().l1Size(); i++) {
      long entry = image.map().l1At(i);
      long table = Entry.host(entry);
      if (table == 0) {
        continue;
      }
      correctFlags(table);
      long flagged = flagged(entry, refcounts.get(file, table >>> bits));
      changed |= flagged != entry;
      image.map().setL1(i, flagged);
    }
    image.map().cache().clear();
    if (changed) {
      metadata.writeWholeL1(file);
    }
    file.flush();
  }

  private void correctFlags(long table) throws Qcow2Exception {
    long[] words = readL2(table);
    boolean changed = false;
    for (int i = 0; i < words.length; i += 1 << geometry.entryWordsOrder()) {
      long host = Entry.host(words[i]);
      if (!Entry.isCompressed(words[i]) && host != 0) {
        long flagged = flagged(words[i], refcounts.get(file, host >>> geometry.clusterBits()));
        changed |= flagged != words[i];
        words[i] = flagged;
      }
    }
    if (changed) {
      Bytes.write(file, table, Bytes.ofLongs(words, 0, words.length));
    }
  }

  private static long flagged(long entry, long refcount) {
    return refcount == 1 ? entry | Entry.COPIED : entry & ~Entry.COPIED;
  }
}

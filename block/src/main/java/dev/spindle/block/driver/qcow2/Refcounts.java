// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Errno;
import java.util.Arrays;
import java.util.function.LongPredicate;

/**
 * How often each cluster of the file is referred to, and which are free. What is taken here reaches
 * the file before anything refers to it (see {@link Metadata}). Under the image's lock.
 */
final class Refcounts {
  private final Geometry geometry;
  private final RefcountPages pages;
  private final MetadataClusters metadata;
  private final int blockBits;

  /** Offsets of the refcount blocks; 0 where there is none. */
  private long[] table;

  private long tableOffset;

  /** No cluster before this one is free. */
  private long firstMaybeFree;

  private Refcounts(
      Geometry geometry, long[] table, long tableOffset, int pages, MetadataClusters metadata) {
    this.geometry = geometry;
    this.pages = new RefcountPages(geometry, pages);
    this.metadata = metadata;
    this.blockBits = geometry.refcountBlockBits();
    this.table = table;
    this.tableOffset = tableOffset;
  }

  /**
   * Reads the refcount table of an image.
   *
   * @param pages pieces of refcount blocks to be held in memory
   * @param metadata to which the table and its blocks are added
   */
  static Refcounts read(Storage file, Qcow2Header header, int pages, MetadataClusters metadata)
      throws Qcow2Exception {
    Geometry geometry = Geometry.of(header);
    int clusters = header.refcountTableClusters();
    long offset = header.refcountTableOffset();
    long[] table = Bytes.readLongs(file, offset, clusters << (geometry.clusterBits() - 3));
    metadata.add(offset >>> geometry.clusterBits(), clusters);
    for (long entry : table) {
      if (isUsable(geometry, entry)) {
        metadata.add(entry >>> geometry.clusterBits(), 1);
      }
    }
    return new Refcounts(geometry, table, offset, pages, metadata);
  }

  /**
   * Refuses blocks that are used twice: what one says of its clusters would change with another's.
   */
  void checkBlocks() throws Qcow2Exception {
    long[] blocks = Arrays.stream(table).filter(block -> block != 0).sorted().toArray();
    for (int i = 1; i < blocks.length; i++) {
      if (blocks[i] == blocks[i - 1]) {
        throw new Qcow2Exception(
            "The refcount block at %#x is used twice: the image can only be read"
                .formatted(blocks[i]));
      }
    }
  }

  private static boolean isUsable(Geometry geometry, long entry) {
    return entry > 0 && entry < Geometry.HOST_END && geometry.isAligned(entry);
  }

  /** Entries of the table. */
  int tableSize() {
    return table.length;
  }

  /** A table entry. */
  long block(int index) {
    return table[index];
  }

  /** Where the table is, in bytes. */
  long tableOffset() {
    return tableOffset;
  }

  /**
   * Uses another table, to which the header leads.
   *
   * @param inUse tells of a cluster whether something else refers to it
   */
  void replace(long[] newTable, long newOffset, LongPredicate inUse) {
    int bits = geometry.clusterBits();
    forget(tableOffset >>> bits, geometry.clusters(8L * table.length), inUse);
    for (long entry : table) {
      if (isUsable(geometry, entry)) {
        forget(entry >>> bits, 1, inUse);
      }
    }
    pages.clear();
    table = newTable;
    tableOffset = newOffset;
    firstMaybeFree = 0;
    metadata.add(newOffset >>> bits, geometry.clusters(8L * newTable.length));
    Arrays.stream(newTable)
        .filter(entry -> entry != 0)
        .forEach(entry -> metadata.add(entry >>> bits, 1));
  }

  private void forget(long first, long clusters, LongPredicate inUse) {
    for (long cluster = first; cluster < first + clusters; cluster++) {
      if (!inUse.test(cluster)) {
        metadata.remove(cluster, 1);
      }
    }
  }

  boolean isDirty() {
    return pages.isDirty();
  }

  /** Writes what has changed. */
  void write(Storage file) throws Qcow2Exception {
    pages.writeAll(file);
  }

  /** A cluster's refcount. */
  long get(Storage file, long cluster) throws Qcow2Exception {
    long index = cluster >>> blockBits;
    if (index >= table.length || table[(int) index] == 0) {
      return 0;
    }
    return pages.get(file, checkedBlock((int) index), indexInBlock(cluster));
  }

  private int indexInBlock(long cluster) {
    return (int) (cluster & (1L << blockBits) - 1);
  }

  private long checkedBlock(int index) throws Qcow2Exception {
    long block = table[index];
    if (!isUsable(geometry, block)) {
      throw new CorruptImageException(
          "refblock offset %#x of entry %d of the refcount table cannot be"
              .formatted(block, index));
    }
    return block;
  }

  /** Adds to the refcounts of clusters that have a refcount block, or takes from them. */
  void add(Storage file, long first, long clusters, int change) throws Qcow2Exception {
    for (long cluster = first; cluster < first + clusters; cluster++) {
      // Refcounts of 64 bits have no sign.
      long before = get(file, cluster);
      long value = before + change;
      if (change > 0 && Long.compareUnsigned(before, geometry.mostRefcount() - change) > 0) {
        throw new UncountableException(
            "Cluster %d is referred to as often as refcounts of %d bits can say"
                .formatted(cluster, 1 << geometry.refcountOrder()));
      }
      if (change < 0 && Long.compareUnsigned(before, -change) < 0) {
        throw new CorruptImageException("cluster %d is freed, and was free".formatted(cluster));
      }
      long block = checkedBlock((int) (cluster >>> blockBits));
      pages.set(file, block, indexInBlock(cluster), value);
      if (value == 0) {
        firstMaybeFree = Math.min(firstMaybeFree, cluster);
      }
    }
  }

  /**
   * Takes free clusters that lie one after another.
   *
   * @return the first one
   */
  long allocate(Storage file, HeaderFile header, long clusters) throws Qcow2Exception {
    while (true) {
      long first = find(file, clusters);
      if (prepare(file, header, first, clusters)) {
        for (long cluster = first; cluster < first + clusters; cluster++) {
          if (metadata.contains(cluster)) {
            throw new CorruptImageException(
                "cluster %d holds metadata, and counts as free".formatted(cluster));
          }
        }
        add(file, first, clusters, 1);
        if (first == firstMaybeFree) {
          firstMaybeFree = first + clusters;
        }
        return first;
      }
    }
  }

  /** Takes the clusters from {@code first} on as far as they are free; returns how many. */
  long allocateAt(Storage file, long first, long most) throws Qcow2Exception {
    long count = 0;
    while (count < most
        && (first + count) >>> blockBits < table.length
        && table[(int) ((first + count) >>> blockBits)] != 0
        && !metadata.contains(first + count)
        && get(file, first + count) == 0) {
      count++;
    }
    add(file, first, count, 1);
    return count;
  }

  private long find(Storage file, long clusters) throws Qcow2Exception {
    while (!isFree(file, firstMaybeFree)) {
      firstMaybeFree++;
    }
    long first = firstMaybeFree;
    long run = 0;
    while (run < clusters) {
      if (isFree(file, first + run)) {
        run++;
      } else {
        first += run + 1;
        run = 0;
      }
    }
    if (first + clusters > Geometry.HOST_END >>> geometry.clusterBits()) {
      throw new Qcow2Exception(Errno.EFBIG, "The image's file would be too large");
    }
    return first;
  }

  private boolean isFree(Storage file, long cluster) throws Qcow2Exception {
    return get(file, cluster) == 0;
  }

  /**
   * Makes the refcount blocks for a range.
   *
   * @return whether they were there; otherwise one was made, which has taken a free cluster
   */
  private boolean prepare(Storage file, HeaderFile header, long first, long clusters)
      throws Qcow2Exception {
    for (long index = first >>> blockBits; index <= (first + clusters - 1) >>> blockBits; index++) {
      if (index >= table.length) {
        growTable(file, header, index + 1);
        return false;
      }
      if (table[(int) index] == 0) {
        makeBlock(file, (int) index, Math.max(first, index << blockBits));
        return false;
      }
    }
    return true;
  }

  /**
   * Makes a refcount block that counts itself: nothing else has to be written before it is used.
   */
  private void makeBlock(Storage file, int index, long cluster) throws Qcow2Exception {
    if (metadata.contains(cluster)) {
      throw new CorruptImageException(
          "cluster %d holds metadata, and counts as free".formatted(cluster));
    }
    byte[] block = new byte[geometry.clusterSize()];
    RefcountPages.put(block, indexInBlock(cluster), geometry.refcountOrder(), 1);
    long offset = cluster << geometry.clusterBits();
    Bytes.write(file, offset, block);
    file.flush();
    table[index] = offset;
    try {
      writeTableSector(file, index);
    } catch (Qcow2Exception e) {
      table[index] = 0;
      throw e;
    }
    metadata.add(cluster, 1);
  }

  private void writeTableSector(Storage file, int index) throws Qcow2Exception {
    int start = index & -64;
    Bytes.write(file, tableOffset + 8L * start, Bytes.ofLongs(table, start, 64));
  }

  /** Makes a larger table, with the blocks that count both, behind all that the old one counts. */
  private void growTable(Storage file, HeaderFile header, long least) throws Qcow2Exception {
    long first = (long) table.length << blockBits;
    long wanted = Math.max(least + 1, table.length + table.length / 2L + 1);
    long tableClusters;
    long blocks = 1;
    while (true) {
      long entries = Math.max(wanted, table.length + blocks);
      tableClusters = geometry.clusters(8 * entries);
      long needed = (tableClusters + blocks + (1L << blockBits) - 1) >>> blockBits;
      if (needed <= blocks) {
        break;
      }
      blocks = needed;
    }
    if (tableClusters << geometry.clusterBits() > Geometry.MOST_REFCOUNT_TABLE) {
      throw new Qcow2Exception(Errno.EFBIG, "The image's refcount table would be too large");
    }
    long newOffset = (first + blocks) << geometry.clusterBits();
    long[] grown = Arrays.copyOf(table, (int) (tableClusters << (geometry.clusterBits() - 3)));
    long used = blocks + tableClusters;
    for (int i = 0; i < blocks; i++) {
      byte[] block = new byte[geometry.clusterSize()];
      long counted = Math.clamp(used - ((long) i << blockBits), 0, 1 << blockBits);
      for (int j = 0; j < counted; j++) {
        RefcountPages.put(block, j, geometry.refcountOrder(), 1);
      }
      long offset = (first + i) << geometry.clusterBits();
      Bytes.write(file, offset, block);
      grown[table.length + i] = offset;
    }
    Bytes.write(file, newOffset, Bytes.ofLongs(grown, 0, grown.length));
    file.flush();
    header.moveRefcountTable(file, newOffset, (int) tableClusters);
    long oldFirst = tableOffset >>> geometry.clusterBits();
    long oldClusters = geometry.clusters(8L * table.length);
    metadata.add(first, used);
    metadata.remove(oldFirst, oldClusters);
    table = grown;
    tableOffset = newOffset;
    add(file, oldFirst, oldClusters, -1);
  }
}

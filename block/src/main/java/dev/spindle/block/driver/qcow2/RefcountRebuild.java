// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Errno;
import java.util.TreeSet;

/**
 * Makes all refcounts of an image anew, from what refers to its clusters, behind everything that
 * its file holds; until the header leads there, nothing has changed. Under the image's lock.
 */
final class RefcountRebuild {
  private final Qcow2Image image;
  private final Storage file;
  private final Geometry geometry;
  private final References references;
  private final int blockBits;

  /** Where the new structures begin, in clusters: the blocks, and behind them the table. */
  private final long first;

  /** The numbers of the blocks that there are to be. */
  private final TreeSet<Long> blocks = new TreeSet<>();

  private long tableClusters = 1;

  /**
   * Of an image that may be written.
   *
   * @param references to all but the old refcounts
   */
  RefcountRebuild(Qcow2Image image, Storage file, References references) {
    this.image = image;
    this.file = file;
    this.geometry = image.geometry();
    this.references = references;
    this.blockBits = geometry.refcountBlockBits();
    this.first = Math.max(geometry.clusters(file.length()), references.end());
  }

  /**
   * Makes them.
   *
   * @throws Qcow2Exception if there is no room, or refcounts of that width cannot say it
   */
  void run() throws Qcow2Exception {
    plan();
    long[] table = new long[(int) (tableClusters << (geometry.clusterBits() - 3))];
    long next = first;
    for (long index : blocks) {
      table[(int) index] = next << geometry.clusterBits();
      Bytes.write(file, table[(int) index], block(index));
      next++;
    }
    long offset = next << geometry.clusterBits();
    Bytes.write(file, offset, Bytes.ofLongs(table, 0, table.length));
    file.flush();
    image.headerFile().moveRefcountTable(file, offset, (int) tableClusters);
    image.metadata().refcounts().replace(table, offset, cluster -> references.get(cluster) > 0);
  }

  /** The end of what is new, in clusters. */
  private long end() {
    return first + blocks.size() + tableClusters;
  }

  /** What is new has to be counted, too. */
  private void plan() throws Qcow2Exception {
    for (long at = references.next(0); at >= 0; at = references.next(at + 1)) {
      blocks.add(at >>> blockBits);
    }
    long before;
    do {
      before = end();
      for (long cluster = first; cluster < before; cluster++) {
        blocks.add(cluster >>> blockBits);
      }
      tableClusters = geometry.clusters(8 * (blocks.getLast() + 1));
      if (tableClusters << geometry.clusterBits() > Geometry.MOST_REFCOUNT_TABLE) {
        throw new Qcow2Exception(Errno.EFBIG, "The image's refcount table would be too large");
      }
    } while (end() != before);
  }

  private byte[] block(long index) throws Qcow2Exception {
    byte[] block = new byte[geometry.clusterSize()];
    long start = index << blockBits;
    long behind = start + (1L << blockBits);
    for (long at = references.next(start); at >= 0 && at < behind; at = references.next(at + 1)) {
      int count = references.get(at);
      if (count > geometry.mostRefcount()) {
        throw new UncountableException(
            "Cluster %d is referred to more often than refcounts of %d bits can say"
                .formatted(at, 1 << geometry.refcountOrder()));
      }
      RefcountPages.put(block, (int) (at - start), geometry.refcountOrder(), count);
    }
    for (long at = Math.max(first, start); at < Math.min(end(), behind); at++) {
      RefcountPages.put(block, (int) (at - start), geometry.refcountOrder(), 1);
    }
    return block;
  }
}

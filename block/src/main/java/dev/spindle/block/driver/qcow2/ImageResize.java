// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.image.Preallocation;
import dev.spindle.linux.Errno;
import java.util.Arrays;

/**
 * Makes an image longer or shorter. Straight-line code; nothing else uses the image. A crash leaves
 * it with the one length or the other.
 */
final class ImageResize {
  private final Qcow2Image image;
  private final Qcow2Io io;
  private final ImageWriter writer;
  private final Geometry geometry;
  private final Metadata metadata;

  /** Of an image that may be written. */
  ImageResize(Qcow2Image image, Qcow2Io io, ImageWriter writer) {
    this.image = image;
    this.io = io;
    this.writer = writer;
    this.geometry = image.geometry();
    this.metadata = image.metadata();
  }

  /**
   * Changes its length; what is added reads as zeroes, whatever a backing file has there.
   *
   * @param length bytes, a multiple of 512
   */
  void run(long length) throws Qcow2Exception {
    long before = image.length();
    if (length > before) {
      grow(before, length);
    } else if (length < before) {
      image.change(io, () -> shrink(length));
      image.settle(io);
    }
    if (image.isExternal() && (image.isRaw() || io.data().length() < length)) {
      io.data().resize(length);
    }
  }

  private void grow(long before, long length) throws Qcow2Exception {
    if (length > Long.MAX_VALUE >>> 1 || 8 * geometry.l1Entries(length) > Geometry.MOST_L1) {
      throw new Qcow2Exception(Errno.EFBIG, "An image cannot be so large with clusters so small");
    }
    image.change(
        io,
        () -> {
          metadata.write(io.file());
          metadata.growL1(io.file(), (int) geometry.l1Entries(length), length);
          return null;
        });
    long clusterEnd = (before + geometry.clusterSize() - 1) & -geometry.clusterSize();
    // The old end's cluster may hold anything behind it, and a backing file may go on there.
    long below = io.backing() == null ? 0 : io.backing().length();
    writer.zero(io, before, Math.min(length, clusterEnd) - before, false);
    if (below > clusterEnd && length > clusterEnd) {
      long start = Math.max(before, clusterEnd);
      writer.zero(io, start, Math.min(length, below) - start, true);
    }
    if (image.isRaw() && length > clusterEnd) {
      new ClusterReservation(image, io, Preallocation.METADATA).take(clusterEnd, length);
    }
    image.flush(io);
  }

  /** With the lock. */
  private Void shrink(long length) throws Qcow2Exception {
    metadata.write(io.file());
    metadata.changeSize(io.file(), length);
    long size = geometry.clusterSize();
    giveUpFrom((length + size - 1) & -size);
    return null;
  }

  /** Gives up all that the image holds itself; its length stays. */
  void giveUpAll() throws Qcow2Exception {
    image.change(
        io,
        () -> {
          metadata.write(io.file());
          giveUpFrom(0);
          return null;
        });
    image.settle(io);
  }

  /**
   * Gives up what clusters hold that are in L2 tables.
   *
   * @param from where a cluster begins
   * @param end within the last one, or where it ends
   */
  void giveUp(long from, long end) throws Qcow2Exception {
    long size = geometry.clusterSize();
    image.change(
        io,
        () -> {
          giveUp(from, (end + size - 1) & -size, false);
          return null;
        });
  }

  /** With the lock. */
  private void giveUpFrom(long first) throws Qcow2Exception {
    int l1Size = image.map().l1Size();
    for (long at = first; at >>> geometry.l1Shift() < l1Size; ) {
      long next = ((at >>> geometry.l1Shift()) + 1) << geometry.l1Shift();
      boolean whole = (at & (1L << geometry.l1Shift()) - 1) == 0;
      if (Entry.host(image.map().l1Entry(at)) != 0) {
        giveUp(at, next, whole);
      }
      at = next;
    }
  }

  private void giveUp(long from, long end, boolean whole) throws Qcow2Exception {
    for (long at = from; at < end; ) {
      long sliceEnd = Math.min(end, image.map().sliceEnd(at));
      L2Slice slice = metadata.loadForChange(io.file(), at);
      int first = image.map().entryIndex(at);
      int count = (int) ((sliceEnd - at) >>> geometry.clusterBits());
      for (int entry = first; entry < first + count; entry++) {
        long descriptor = slice.descriptor(entry);
        if (descriptor != 0 || (geometry.extended() && slice.bitmap(entry) != 0)) {
          metadata.change(slice, entry, 0, 0);
          metadata.giveUpOld(descriptor, false);
        }
      }
      metadata.relieve(io.file());
      at = sliceEnd;
    }
    if (whole) {
      metadata.dropTable(image.map().l1Index(from));
    }
  }

  /** An L1 table with more entries. */
  static long[] grown(ClusterMap map, int entries) {
    long[] l1 = new long[Math.max(entries, map.l1Size())];
    Arrays.setAll(l1, i -> i < map.l1Size() ? map.l1At(i) : 0);
    return l1;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.driver.qcow2.Entry.Kind;
import dev.spindle.block.graph.RangeLocks;

/** Has clusters, or subclusters, read as zeroes by what the L2 tables say. Straight-line code. */
final class ClusterZeroes {
  private final Qcow2Image image;
  private final Geometry geometry;
  private final Metadata metadata;
  private final ClusterMap map;
  private final RangeLocks allocations;
  private final ImageWriter writer;

  ClusterZeroes(Qcow2Image image, RangeLocks allocations, ImageWriter writer) {
    this.image = image;
    this.geometry = image.geometry();
    this.metadata = image.metadata();
    this.map = image.map();
    this.allocations = allocations;
    this.writer = writer;
  }

  /**
   * Has the start of a range of whole granules read as zeroes.
   *
   * @param end a multiple of the granule, or the end of the image
   * @return how far it has come
   */
  long zero(Qcow2Io io, long from, long end, boolean mayUnmap) throws Qcow2Exception {
    long size = geometry.clusterSize();
    long first = from & -size;
    long to = Math.min(end, map.sliceEnd(from));
    if (image.isRaw()) {
      writer.zeroByHand(io, from, to - from, mayUnmap);
      return to;
    }
    long compressedPart;
    try (RangeLocks.Held held = allocations.lock(first, to + size - 1 & -size, true)) {
      compressedPart = image.change(io, () -> zeroEntries(io, from, to, mayUnmap));
    }
    if (compressedPart < 0) {
      return to;
    }
    long partEnd = Math.min(to, (compressedPart & -size) + size);
    writer.zeroByHand(io, compressedPart, partEnd - compressedPart);
    return partEnd;
  }

  /**
   * With the lock.
   *
   * @return where a part of a compressed cluster has to be written by hand, before anything behind
   *     it was done; -1 if there is none
   */
  private long zeroEntries(Qcow2Io io, long from, long to, boolean mayUnmap) throws Qcow2Exception {
    metadata.relieve(io.file());
    if (Entry.host(map.l1Entry(from)) == 0 && io.backing() == null) {
      return -1;
    }
    long size = geometry.clusterSize();
    L2Slice slice = metadata.loadForChange(io.file(), from);
    for (long at = from; at < to; at = (at & -size) + size) {
      long clusterEnd = (at & -size) + size;
      boolean whole = (at & size - 1) == 0 && (clusterEnd <= to || to == image.length());
      int entry = map.entryIndex(at);
      if (whole) {
        zeroWhole(io, slice, entry, mayUnmap);
      } else if (Entry.isCompressed(slice.descriptor(entry))) {
        return at;
      } else {
        long cluster = at & -size;
        // At the end of the image, the rest of the last subcluster is nobody's.
        long bytes = Math.min(to, clusterEnd) - cluster + geometry.granule() - 1;
        int end = (int) (bytes / geometry.granule());
        long bits = Entry.bits((int) ((at - cluster) / geometry.granule()), end);
        long bitmap = (slice.bitmap(entry) & ~bits) | bits << 32;
        metadata.change(slice, entry, slice.descriptor(entry), bitmap);
      }
    }
    return -1;
  }

  private void zeroWhole(Qcow2Io io, L2Slice slice, int entry, boolean mayUnmap) {
    long before = slice.descriptor(entry);
    boolean external = image.isExternal();
    boolean empty = !Entry.isCompressed(before) && !Entry.hasPlace(before, external);
    boolean zeroBefore =
        geometry.extended()
            ? empty && slice.bitmap(entry) == Entry.ALL_ZERO
            : Entry.kind(before, external) == Kind.ZERO;
    boolean absentBefore =
        geometry.extended()
            ? empty && slice.bitmap(entry) == 0
            : Entry.kind(before, external) == Kind.ABSENT;
    // Past the end of a backing file too: the image may come to stand on a longer one.
    if ((zeroBefore && (empty || !mayUnmap)) || (absentBefore && io.backing() == null)) {
      return;
    }
    boolean keeps =
        !mayUnmap
            && Entry.isCopied(before)
            && !Entry.isCompressed(before)
            && Entry.hasPlace(before, external);
    if (geometry.extended()) {
      metadata.change(slice, entry, keeps ? before : 0, Entry.ALL_ZERO);
    } else {
      metadata.change(slice, entry, keeps ? before | Entry.ZERO : Entry.ZERO, 0);
    }
    if (!keeps) {
      metadata.giveUpOld(before, true);
    }
  }

  /**
   * Gives up the start of a range of whole clusters.
   *
   * @param end a multiple of the cluster size, or the end of the image
   * @return how far it has come
   */
  long discard(Qcow2Io io, long from, long end) throws Qcow2Exception {
    long size = geometry.clusterSize();
    long to = Math.min(end, map.sliceEnd(from));
    if (image.isRaw()) {
      writer.zeroByHand(io, from, to - from, true);
      return to;
    }
    try (RangeLocks.Held held = allocations.lock(from, to + size - 1 & -size, true)) {
      image.change(
          io,
          () -> {
            metadata.relieve(io.file());
            if (Entry.host(map.l1Entry(from)) != 0 || !io.nothingBelow(from)) {
              discardEntries(io, from, to);
            }
            return null;
          });
      if (image.isExternal() && metadata.passesRequests()) {
        // Still locked: who writes there again finds its place where it was.
        io.data().discard(from, to - from);
      }
    }
    return to;
  }

  private void discardEntries(Qcow2Io io, long from, long to) throws Qcow2Exception {
    L2Slice slice = metadata.loadForChange(io.file(), from);
    for (long at = from; at < to; at += geometry.clusterSize()) {
      int entry = map.entryIndex(at);
      long before = slice.descriptor(entry);
      if (geometry.hasZeroFlag()) {
        zeroWhole(io, slice, entry, true);
      } else if (before != 0) {
        metadata.change(slice, entry, 0, 0);
        metadata.giveUpOld(before, true);
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.driver.qcow2.Entry.Kind;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;

/**
 * Writes to an image. Who allocates clusters has their range of the image to himself, so that those
 * who come to the same cluster meanwhile wait, and then find it there. Straight-line code.
 */
final class ImageWriter {
  private static final MemorySegment NOTHING = MemorySegment.NULL;

  private final Qcow2Image image;
  private final Geometry geometry;
  private final ClusterMap map;
  private final Metadata metadata;
  private final boolean externalData;
  private final boolean encrypted;

  /** Whether there can be compressed clusters: they are neither enciphered nor in other files. */
  private final boolean packs;

  /** Ranges of the image in which somebody changes what clusters there are. */
  private final RangeLocks allocations = new RangeLocks();

  private final PackedWriter packed;

  ImageWriter(Qcow2Image image) {
    this.image = image;
    this.geometry = image.geometry();
    this.map = image.map();
    this.metadata = image.metadata();
    this.externalData = image.isExternal();
    this.encrypted = image.isEncrypted();
    this.packs = !externalData && !encrypted;
    this.packed = new PackedWriter(image, allocations);
  }

  RangeLocks allocations() {
    return allocations;
  }

  /**
   * Where data of a run of clusters goes, which is going to be linked.
   *
   * @param first where the run starts in the image, bytes; a multiple of the cluster size
   * @param clusters how many
   * @param host where they are in the file, bytes
   * @param taken whether they were taken for that, and have to be given back if it fails
   * @param fresh whether they are past what the file ever had, and read as zeroes
   * @param copyStart where data has to be there from, bytes in the image
   * @param copyEnd and up to where
   * @param end up to where the data that is being written goes, bytes in the image
   */
  private record Target(
      long first,
      long clusters,
      long host,
      boolean taken,
      boolean fresh,
      long copyStart,
      long copyEnd,
      long end) {}

  /** Writes a range inside the image. */
  void write(Qcow2Io io, long offset, IoVector data, long position, long length)
      throws Qcow2Exception {
    image.begin(io);
    Found found = new Found();
    for (long done = 0; done < length; ) {
      long from = offset + done;
      image.find(io, from, length - done, found);
      if (found.kind == Kind.DATA && found.inPlace) {
        io.data().write(found.host, NOTHING, data, position + done, found.length, NOTHING);
        done += found.length;
      } else {
        done += writeNew(io, from, data, position + done, length - done);
      }
    }
  }

  /** As {@link #write}, in packed form where whole clusters that hold nothing are written. */
  void writePacked(Qcow2Io io, long offset, IoVector data, long position, long length)
      throws Qcow2Exception {
    image.begin(io);
    long size = geometry.clusterSize();
    for (long done = 0; done < length; ) {
      long from = offset + done;
      long bytes = Math.min(size - (from & size - 1), length - done);
      boolean whole = (from & size - 1) == 0 && (bytes == size || from + bytes == image.length());
      if (!whole || !packs || !packed.write(io, from, data, position + done, bytes)) {
        write(io, from, data, position + done, bytes);
      }
      done += bytes;
    }
  }

  /**
   * Writes the start of a range that has no place yet.
   *
   * @return how much was written; 0 if it has a place meanwhile
   */
  private long writeNew(Qcow2Io io, long offset, IoVector data, long position, long length)
      throws Qcow2Exception {
    long clusterMask = geometry.clusterSize() - 1L;
    long first = offset & ~clusterMask;
    long end = Math.min(offset + length, map.sliceEnd(offset));
    try (RangeLocks.Held held = allocations.lock(first, end + clusterMask & ~clusterMask, true)) {
      Target target = image.change(io, () -> plan(io, offset, end));
      if (target == null) {
        return 0;
      }
      long to = target.end;
      boolean done = false;
      try {
        writeAround(io, target, offset, data, position, to - offset);
        image.change(io, () -> link(io, target));
        done = true;
      } finally {
        if (!done && target.taken && !externalData) {
          putBack(io, target);
        }
      }
      return to - offset;
    }
  }

  private void putBack(Qcow2Io io, Target target) throws Qcow2Exception {
    image.locked(
        io,
        () -> {
          metadata.putBack(io.file(), target.host >>> geometry.clusterBits(), target.clusters);
          return null;
        });
  }

  /** Finds places. With the lock. */
  private Target plan(Qcow2Io io, long offset, long end) throws Qcow2Exception {
    metadata.relieve(io.file());
    L2Slice slice = metadata.loadForChange(io.file(), offset);
    Found found = new Found();
    map.find(offset, end - offset, found);
    if (found.kind == Kind.DATA && found.inPlace) {
      return null;
    }
    long size = geometry.clusterSize();
    long first = offset & -size;
    int entry = map.entryIndex(offset);
    long descriptor = slice.descriptor(entry);
    if (isReusable(descriptor)) {
      // What follows may have a place, where others write without a lock.
      long to = Math.min(offset + found.length, first + size);
      return new Target(
          first,
          1,
          Entry.host(descriptor),
          false,
          false,
          offset & -geometry.granule(),
          to + geometry.granule() - 1 & -geometry.granule(),
          to);
    }
    long wanted = 1;
    while (first + wanted * size < end && !isInUse(slice.descriptor(entry + (int) wanted))) {
      wanted++;
    }
    return planNew(io, slice, offset, end, wanted);
  }

  private Target planNew(Qcow2Io io, L2Slice slice, long offset, long end, long wanted)
      throws Qcow2Exception {
    long size = geometry.clusterSize();
    long first = offset & -size;
    long host = first;
    long count = wanted;
    if (!externalData) {
      long cluster = metadata.allocate(io.file(), 1);
      count = 1;
      if (wanted > 1) {
        count += metadata.refcounts().allocateAt(io.file(), cluster + 1, wanted - 1);
      }
      host = cluster << geometry.clusterBits();
    }
    long to = Math.min(end, first + count * size);
    int entry = map.entryIndex(offset);
    int last = entry + (int) count - 1;
    long granule = geometry.granule();
    boolean wholeFirst = isCopiedWhole(slice.descriptor(entry));
    boolean wholeLast = isCopiedWhole(slice.descriptor(last));
    return new Target(
        first,
        count,
        host,
        true,
        !encrypted && host >= io.data().length(),
        wholeFirst ? first : offset & -granule,
        wholeLast ? first + count * size : to + granule - 1 & -granule,
        to);
  }

  /** Whether a cluster has a place of its own, of which nothing, or not all, is read. */
  private boolean isReusable(long descriptor) {
    return !Entry.isCompressed(descriptor)
        && Entry.isCopied(descriptor)
        && Entry.hasPlace(descriptor, externalData);
  }

  private boolean isInUse(long descriptor) {
    return isReusable(descriptor);
  }

  /** Whether what a cluster has cannot stay where it is. */
  private boolean isCopiedWhole(long descriptor) {
    return !geometry.extended()
        || Entry.isCompressed(descriptor)
        || Entry.hasPlace(descriptor, externalData);
  }

  /** Writes data, and what is to be there before and after it. */
  private void writeAround(
      Qcow2Io io, Target target, long offset, IoVector data, long position, long length)
      throws Qcow2Exception {
    long end = offset + length;
    long headBytes = offset - target.copyStart;
    long tailBytes = target.copyEnd - end;
    if (externalData) {
      // Such a file does not grow past what the guest sees.
      tailBytes = Math.clamp(image.length() - end, 0, tailBytes);
    }
    if (target.fresh && headBytes > 0 && image.isZero(io, target.copyStart, headBytes)) {
      headBytes = 0;
    }
    if (target.fresh && tailBytes > 0 && isZeroInside(io, end, tailBytes)) {
      tailBytes = 0;
    }
    BounceBuffers buffers = io.data().buffers();
    try (BounceBuffers.Buffer head = headBytes == 0 ? null : buffers.take(headBytes);
        BounceBuffers.Buffer tail = tailBytes == 0 ? null : buffers.take(tailBytes)) {
      if (head != null) {
        image.read(io, offset - headBytes, head.vector(), 0, headBytes);
      }
      if (tail != null) {
        readInside(io, end, tail, tailBytes);
      }
      io.data()
          .write(
              target.host + offset - headBytes - target.first,
              head == null ? NOTHING : head.memory(),
              data,
              position,
              length,
              tail == null ? NOTHING : tail.memory());
    }
  }

  private boolean isZeroInside(Qcow2Io io, long offset, long length) throws Qcow2Exception {
    long inside = Math.min(length, image.length() - offset);
    return inside <= 0 || image.isZero(io, offset, inside);
  }

  /** Reads up to the end of the image; what follows in the last cluster is zero. */
  private void readInside(Qcow2Io io, long offset, BounceBuffers.Buffer buffer, long length)
      throws Qcow2Exception {
    long inside = Math.clamp(image.length() - offset, 0, length);
    buffer.memory().asSlice(inside).fill((byte) 0);
    if (inside > 0) {
      image.read(io, offset, buffer.vector(), 0, inside);
    }
  }

  /** Has the image's clusters be where their data is. With the lock. */
  private Void link(Qcow2Io io, Target target) throws Qcow2Exception {
    long size = geometry.clusterSize();
    L2Slice slice = metadata.loadForChange(io.file(), target.first);
    for (long i = 0; i < target.clusters; i++) {
      long cluster = target.first + i * size;
      int entry = map.entryIndex(cluster);
      long before = slice.descriptor(entry);
      long bitmap = 0;
      if (geometry.extended()) {
        boolean keeps = !Entry.isCompressed(before);
        bitmap = keeps ? slice.bitmap(entry) : 0;
        int from = (int) (Math.clamp(target.copyStart - cluster, 0, size) / geometry.granule());
        int to = (int) (Math.clamp(target.copyEnd - cluster, 0, size) / geometry.granule());
        long bits = Entry.bits(from, to);
        bitmap = (bitmap | bits) & ~(bits << 32);
      }
      metadata.change(slice, entry, target.host + i * size | Entry.COPIED, bitmap);
      if (target.taken) {
        metadata.giveUpOld(before, false);
      }
    }
    return null;
  }

  /** Whether a range can be zeroed by tables alone. */
  boolean zeroesFast(long offset, long length) {
    long mask = geometry.granule() - 1L;
    long end = offset + length;
    boolean raw = (image.header().autoclear() & Features.RAW_DATA_FILE) != 0;
    return geometry.hasZeroFlag()
        && !raw
        && (offset & mask) == 0
        && ((end & mask) == 0 || end == image.length());
  }

  /**
   * Has a range inside the image read as zeroes.
   *
   * @param mayUnmap whether its clusters may be given up
   */
  void zero(Qcow2Io io, long offset, long length, boolean mayUnmap) throws Qcow2Exception {
    image.begin(io);
    long end = offset + length;
    if (!geometry.hasZeroFlag()) {
      zeroByHand(io, offset, length);
      return;
    }
    long granule = geometry.granule();
    long wholeStart = Math.min(end, offset + granule - 1 & -granule);
    long wholeEnd = end == image.length() ? end : Math.max(wholeStart, end & -granule);
    zeroByHand(io, offset, wholeStart - offset);
    for (long at = wholeStart; at < wholeEnd; ) {
      at = new ClusterZeroes(image, allocations, this).zero(io, at, wholeEnd, mayUnmap);
    }
    zeroByHand(io, wholeEnd, end - wholeEnd);
  }

  /** Writes zeroes, except where there are zeroes. */
  void zeroByHand(Qcow2Io io, long offset, long length) throws Qcow2Exception {
    zeroByHand(io, offset, length, false);
  }

  /**
   * As {@link #zeroByHand(Qcow2Io, long, long)}.
   *
   * @param mayUnmap whether the file may give up what it takes on disk
   */
  void zeroByHand(Qcow2Io io, long offset, long length, boolean mayUnmap) throws Qcow2Exception {
    Found found = new Found();
    for (long done = 0; done < length; ) {
      long from = offset + done;
      image.find(io, from, length - done, found);
      long bytes = found.length;
      if (found.kind == Kind.DATA && found.inPlace) {
        io.data().zero(found.host, bytes, mayUnmap);
      } else if (found.kind != Kind.ZERO && !(found.kind == Kind.ABSENT && io.backing() == null)) {
        bytes = Math.min(bytes, 1 << 20);
        writeZeroes(io, from, bytes);
      }
      done += bytes;
    }
  }

  /** Writes zeroes as data. */
  void writeZeroes(Qcow2Io io, long offset, long length) throws Qcow2Exception {
    try (BounceBuffers.Buffer zeroes = io.data().buffers().take(length)) {
      zeroes.memory().fill((byte) 0);
      write(io, offset, zeroes.vector(), 0, length);
    } catch (OutOfMemoryError e) {
      throw new Qcow2Exception(Errno.ENOMEM, "There is no memory to write zeroes");
    }
  }

  /** Gives up whole clusters of a range inside the image, which then read as zeroes. */
  void discard(Qcow2Io io, long offset, long length) throws Qcow2Exception {
    if (!geometry.hasZeroFlag() && io.backing() != null) {
      // What is below would be seen again; it is only a hint.
      return;
    }
    long size = geometry.clusterSize();
    long end = offset + length == image.length() ? offset + length : offset + length & -size;
    for (long at = offset + size - 1 & -size; at < end; ) {
      at = new ClusterZeroes(image, allocations, this).discard(io, at, end);
    }
  }
}

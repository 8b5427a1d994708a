// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;

/** Writes whole clusters that hold nothing yet in packed form. Straight-line code. */
final class PackedWriter {
  private final Qcow2Image image;
  private final RangeLocks allocations;
  private final Geometry geometry;
  private final Metadata metadata;
  private final Packer packer;

  PackedWriter(Qcow2Image image, RangeLocks allocations) {
    this.image = image;
    this.allocations = allocations;
    this.geometry = image.geometry();
    this.metadata = image.metadata();
    this.packer = new Packer(image.header());
  }

  /**
   * Writes a cluster.
   *
   * @param offset in the image; a multiple of the cluster size
   * @param length all of the cluster, or what the image has of it
   * @return false if it does not become smaller, or holds something already
   */
  boolean write(Qcow2Io io, long offset, IoVector data, long position, long length)
      throws Qcow2Exception {
    byte[] cluster = new byte[geometry.clusterSize()];
    data.copyTo(position, MemorySegment.ofArray(cluster), 0, length);
    byte[] packed = packer.pack(cluster);
    if (packed == null) {
      return false;
    }
    try (RangeLocks.Held held = allocations.lock(offset, offset + cluster.length, true)) {
      long host = image.change(io, () -> allocate(io, offset, packed.length));
      if (host < 0) {
        return false;
      }
      boolean linked = false;
      try {
        Bytes.write(io.file(), host, packed);
        image.change(io, () -> link(io, offset, host, packed.length));
        linked = true;
      } finally {
        if (!linked) {
          image.locked(
              io,
              () -> {
                metadata.putBackPacked(io.file(), host, packed.length);
                return null;
              });
        }
      }
      return true;
    }
  }

  /** With the lock. Returns where, or -1. */
  private long allocate(Qcow2Io io, long offset, int bytes) throws Qcow2Exception {
    metadata.relieve(io.file());
    L2Slice slice = metadata.loadForChange(io.file(), offset);
    int entry = image.map().entryIndex(offset);
    if (slice.descriptor(entry) != 0 || (geometry.extended() && slice.bitmap(entry) != 0)) {
      return -1;
    }
    return metadata.allocatePacked(io.file(), bytes);
  }

  /** With the lock. */
  private Void link(Qcow2Io io, long offset, long host, int bytes) throws Qcow2Exception {
    L2Slice slice = metadata.loadForChange(io.file(), offset);
    long descriptor = Compressed.descriptor(geometry, host, bytes);
    metadata.change(slice, image.map().entryIndex(offset), descriptor, 0);
    // Something else may have been there, and be remembered by the same descriptor.
    image.decompressor().forget();
    return null;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.image.Preallocation;
import dev.spindle.linux.Errno;

/**
 * Takes clusters before there is data for them. Straight-line code; nothing else uses the image.
 */
final class ClusterReservation {
  private static final long PIECE = 1 << 20;

  private final Qcow2Image image;
  private final Qcow2Io io;
  private final Preallocation mode;
  private final Geometry geometry;

  /** Where space is taken: what is in the clear there does not count if the image is encrypted. */
  private final Storage place;

  /**
   * Of an image that may be written.
   *
   * @param mode not {@link Preallocation#OFF}
   */
  ClusterReservation(Qcow2Image image, Qcow2Io io, Preallocation mode) {
    this.image = image;
    this.io = io;
    this.mode = mode;
    this.geometry = image.geometry();
    this.place = image.isEncrypted() && !io.external() ? io.file() : io.data();
  }

  /** Clusters that lie one after another, and read as zeroes: where they are in the file, bytes. */
  private record Run(long host, long bytes) {
    long end() {
      return host + bytes;
    }
  }

  /**
   * Takes clusters for what has none of a range, which reads as zeroes and goes on doing so.
   *
   * @param from bytes; the cluster that it lies in is taken as well
   * @param end bytes, in the image
   */
  void take(long from, long end) throws Qcow2Exception {
    if (image.isEncrypted() && !geometry.hasZeroFlag()) {
      throw new Qcow2Exception(
          Errno.EOPNOTSUPP,
          "Preallocation of encrypted images is only supported with compatibility level 1.1 and"
              + " above");
    }
    long size = geometry.clusterSize();
    long fileEnd = place.length();
    for (long at = from & -size; at < end; ) {
      long start = at;
      long to = Math.min((end + size - 1) & -size, image.map().sliceEnd(at));
      Run run = image.change(io, () -> allocate(start, to));
      if (run.bytes > 0) {
        clear(run);
        image.change(io, () -> link(start, run));
        // Another file with the data is as long as what the guest sees.
        fileEnd = Math.max(fileEnd, image.isExternal() ? Math.min(run.end(), end) : run.end());
      }
      at += Math.max(run.bytes, size);
    }
    if (place.length() < fileEnd) {
      place.resize(fileEnd);
    }
    image.flush(io);
  }

  /**
   * Has what has no place of an image with its data in another file have one there, in which there
   * are zeroes.
   */
  void takeZeroes() throws Qcow2Exception {
    for (long at = 0; at < image.length(); ) {
      long start = at;
      long to = Math.min(image.length(), image.map().sliceEnd(at));
      long whole = to + geometry.clusterSize() - 1 & -geometry.clusterSize();
      image.change(
          io,
          () -> {
            Run run = allocate(start, whole);
            return link(start, run);
          });
      at = to;
    }
    image.flush(io);
  }

  /** With the lock. */
  private Run allocate(long from, long end) throws Qcow2Exception {
    Metadata metadata = image.metadata();
    L2Slice slice = metadata.loadForChange(io.file(), from);
    int entry = image.map().entryIndex(from);
    int last = entry + (int) ((end - from) >>> geometry.clusterBits());
    int wanted = 0;
    while (entry + wanted < last && slice.descriptor(entry + wanted) == 0) {
      wanted++;
    }
    if (wanted == 0) {
      return new Run(0, 0);
    }
    if (image.isExternal()) {
      return new Run(from, (long) wanted << geometry.clusterBits());
    }
    long cluster = metadata.allocate(io.file(), 1);
    long more = metadata.refcounts().allocateAt(io.file(), cluster + 1, wanted - 1L);
    int bits = geometry.clusterBits();
    return new Run(cluster << bits, (1 + more) << bits);
  }

  private void clear(Run run) throws Qcow2Exception {
    switch (mode) {
      case FALLOC -> place.zero(run.host, run.bytes, false);
      case FULL -> {
        try (BounceBuffers.Buffer zeroes = place.buffers().take(PIECE)) {
          zeroes.memory().fill((byte) 0);
          for (long done = 0; done < run.bytes; done += PIECE) {
            long some = Math.min(PIECE, run.bytes - done);
            place.write(run.host + done, zeroes.memory().asSlice(0, some));
          }
        }
      }
      case OFF, METADATA -> {
        long old = Math.clamp(place.length() - run.host, 0, run.bytes);
        if (old > 0) {
          place.zero(run.host, old, true);
        }
      }
    }
  }

  /** With the lock. */
  private Void link(long from, Run run) throws Qcow2Exception {
    Metadata metadata = image.metadata();
    L2Slice slice = metadata.loadForChange(io.file(), from);
    int entry = image.map().entryIndex(from);
    // What is there would be garbage, deciphered.
    boolean zero = image.isEncrypted();
    long bitmap = !geometry.extended() ? 0 : zero ? Entry.ALL_ZERO : Entry.ALL_ALLOCATED;
    long flags = Entry.COPIED | (zero && !geometry.extended() ? Entry.ZERO : 0);
    for (long done = 0; done < run.bytes; done += geometry.clusterSize()) {
      metadata.change(slice, entry++, run.host + done | flags, bitmap);
    }
    return null;
  }
}

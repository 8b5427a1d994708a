// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.image.MeasuredSource;
import dev.spindle.block.image.Measurement;
import dev.spindle.block.image.Preallocation;
import dev.spindle.linux.Errno;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** Says how large the file of an image would be, as qemu-img says it. */
final class ImageMeasure {
  private final NewImage image;
  private final Geometry geometry;
  private final long size;

  /**
   * Of an image to be made.
   *
   * @throws Qcow2Exception if there cannot be one of that size
   */
  ImageMeasure(NewImage image) throws Qcow2Exception {
    try {
      this.image = image.check();
    } catch (Qcow2Exception e) {
      throw e.errno() == Errno.EFBIG
          ? new Qcow2Exception(
              Errno.EINVAL, "The image size is too large (try using a larger cluster size)")
          // Here options have the words of the tool.
          : new Qcow2Exception(e.errno(), e.getMessage().replace("version=v3", "compat=1.1"));
    }
    this.geometry = image.geometry();
    this.size = up(image.size());
  }

  private long up(long bytes) {
    return geometry.clusters(bytes) << geometry.clusterBits();
  }

  /**
   * Measures.
   *
   * @param source what it is to hold
   */
  Measurement measure(Preallocation preallocation, Optional<MeasuredSource> source) {
    long all = metadataBytes() + size + up(image.encryptionBytes());
    boolean data = preallocation == Preallocation.FALLOC || preallocation == Preallocation.FULL;
    // What a backing file shares with the source, nobody knows.
    boolean unknown = image.backingName().isPresent() && source.isPresent();
    long needed =
        data || unknown
            ? size
            : source.map(one -> one.dataBytes(geometry.clusterSize())).orElse(0L);
    return new Measurement(all - size + needed, all, bitmapBytes(source));
  }

  private long metadataBytes() {
    long tables = geometry.l1Entries(size);
    long clusters = 1 + tables + geometry.clusters(8 * tables);
    long all = clusters + refcountClusters(clusters + geometry.clusters(size));
    return all << geometry.clusterBits();
  }

  /** Clusters of the refcount table and its blocks, which count themselves as well. */
  private long refcountClusters(long counted) {
    long own = 0;
    while (true) {
      long blocks =
          (counted + own + (1L << geometry.refcountBlockBits()) - 1)
              >>> geometry.refcountBlockBits();
      long next = blocks + geometry.clusters(8 * blocks);
      if (next == own) {
        return own;
      }
      own = next;
    }
  }

  private OptionalLong bitmapBytes(Optional<MeasuredSource> source) {
    Optional<List<DirtyBitmap>> bitmaps = source.flatMap(MeasuredSource::bitmaps);
    if (bitmaps.isEmpty() || image.version() < 3) {
      return OptionalLong.empty();
    }
    long bytes = 0;
    long directory = 0;
    for (DirtyBitmap bitmap : bitmaps.get()) {
      long data = BitmapEntry.tableSize(geometry, bitmap.size(), bitmap.granularity());
      bytes += (data << geometry.clusterBits()) + up(8 * data);
      directory += BitmapEntry.bytes(0, bitmap.name().getBytes(UTF_8).length);
    }
    return OptionalLong.of(bytes + up(directory));
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.image.ImageDescription;
import dev.spindle.block.image.SnapshotDescription;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** Says of an image what {@code img info} tells. */
final class ImageReport {
  private ImageReport() {}

  /**
   * Describes an image.
   *
   * @param encryption null if it is not encrypted
   */
  static ImageDescription of(
      Qcow2Header header,
      List<Snapshot> snapshots,
      List<BitmapEntry> bitmaps,
      Encryption encryption) {
    return new ImageDescription(
        OptionalInt.of(1 << header.clusterBits()),
        encryption != null,
        false,
        header.has(Features.DIRTY),
        header.backingName(),
        header.text(HeaderExtension.BACKING_FORMAT),
        snapshots.stream().map(ImageReport::describe).toList(),
        specific(header, bitmaps, encryption));
  }

  private static SnapshotDescription describe(Snapshot snapshot) {
    return new SnapshotDescription(
        snapshot.id(),
        snapshot.name(),
        snapshot.vmStateBytes(),
        snapshot.seconds(),
        snapshot.nanoseconds(),
        snapshot.vmClock(),
        snapshot.instructionCount() == Snapshot.NO_COUNT
            ? OptionalLong.empty()
            : OptionalLong.of(snapshot.instructionCount()));
  }

  /** QAPI's ImageInfoSpecificQCow2. */
  private static Map<String, Object> specific(
      Qcow2Header header, List<BitmapEntry> bitmaps, Encryption encryption) {
    Map<String, Object> words = new LinkedHashMap<>();
    boolean old = header.version() == 2;
    words.put("compat", old ? "0.10" : "1.1");
    if (!old) {
      header.text(HeaderExtension.DATA_FILE).ifPresent(name -> words.put("data-file", name));
      if (header.has(Features.DATA_FILE)) {
        words.put("data-file-raw", (header.autoclear() & Features.RAW_DATA_FILE) != 0);
      }
      words.put("extended-l2", header.has(Features.EXTENDED_L2));
      words.put("lazy-refcounts", (header.compatible() & Features.LAZY_REFCOUNTS) != 0);
      words.put("corrupt", header.has(Features.CORRUPT));
    }
    if (!bitmaps.isEmpty()) {
      words.put("bitmaps", bitmaps.stream().map(ImageReport::describe).toList());
    }
    words.put("refcount-bits", 1L << header.refcountOrder());
    if (encryption != null) {
      Map<String, Object> luks = new LinkedHashMap<>(Map.of("format", "luks"));
      luks.putAll(encryption.header().describe());
      words.put("encrypt", luks);
    }
    words.put("compression-type", header.compressionType() == 0 ? "zlib" : "zstd");
    return words;
  }

  /** QAPI's Qcow2BitmapInfo. */
  private static Map<String, Object> describe(BitmapEntry bitmap) {
    List<String> flags = new ArrayList<>();
    if (bitmap.inUse()) {
      flags.add("in-use");
    }
    if (bitmap.auto()) {
      flags.add("auto");
    }
    Map<String, Object> words = new LinkedHashMap<>();
    words.put("flags", flags);
    words.put("name", bitmap.name());
    words.put("granularity", bitmap.granularity());
    return words;
  }
}

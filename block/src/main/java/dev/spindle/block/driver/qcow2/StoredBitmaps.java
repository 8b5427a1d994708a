// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import java.util.ArrayList;
import java.util.List;

/**
 * Stores the persistent bitmaps of an image, and takes them out of it. Straight-line code; nothing
 * else uses the image. What is stored goes to clusters of its own; the header leads there when all
 * of it is on stable storage, and what it led to before is free afterwards. So a crash leaves the
 * bitmaps as they were, marked as in use, and leaked clusters at worst.
 */
final class StoredBitmaps {
  private final Qcow2Image image;
  private final Qcow2Io io;
  private final Geometry geometry;
  private final BitmapDirectory directory;
  private final SharedTables tables;

  /** Of an image that may be written. */
  StoredBitmaps(Qcow2Image image, Qcow2Io io) {
    this.image = image;
    this.io = io;
    this.geometry = image.geometry();
    this.directory = image.bitmaps();
    this.tables = new SharedTables(image, io.file());
  }

  /** Takes one out, if it is there. */
  void remove(String name) throws Qcow2Exception {
    if (directory.find(name) == null) {
      return;
    }
    image.change(
        io,
        () -> {
          image.metadata().write(io.file());
          BitmapEntry removed = directory.find(name);
          List<BitmapEntry> kept = new ArrayList<>(directory.entries());
          kept.remove(removed);
          replace(kept, List.of(removed), List.of());
          return null;
        });
  }

  /**
   * Has the image hold just these, and those of its own that cannot be used.
   *
   * @param bitmaps the persistent ones of the node
   */
  void store(List<DirtyBitmap> bitmaps) throws Qcow2Exception {
    image.change(
        io,
        () -> {
          image.metadata().write(io.file());
          List<BitmapEntry> dropped = new ArrayList<>(directory.entries());
          List<BitmapEntry> next = new ArrayList<>();
          List<BitmapEntry> written = new ArrayList<>();
          try {
            for (DirtyBitmap bitmap : bitmaps) {
              BitmapEntry old = directory.find(bitmap.name());
              if (bitmap.inconsistent() && old != null) {
                dropped.remove(old);
                next.add(old);
              } else {
                BitmapEntry entry = write(bitmap, old);
                written.add(entry);
                next.add(entry);
              }
            }
          } catch (Qcow2Exception e) {
            giveBack(written);
            throw e;
          }
          replace(next, dropped, written);
          return null;
        });
  }

  private BitmapEntry write(DirtyBitmap bitmap, BitmapEntry old) throws Qcow2Exception {
    HierarchicalBitmap bits = bitmap.bits();
    BitmapTable table = BitmapTable.write(tables, geometry, bits);
    long[] entries = table.entries();
    long offset;
    try {
      offset = tables.write(Bytes.ofLongs(entries, 0, entries.length));
    } catch (Qcow2Exception e) {
      table.giveBack(tables, geometry);
      throw e;
    }
    byte[] extra = old == null ? new byte[0] : old.extraData();
    int flags =
        (bitmap.recording() ? BitmapEntry.AUTO : 0)
            | (extra.length == 0 ? 0 : BitmapEntry.EXTRA_DATA_COMPATIBLE);
    return new BitmapEntry(
        offset,
        entries.length,
        flags,
        Long.numberOfTrailingZeros(bits.granularity()),
        extra,
        bitmap.name().getBytes(UTF_8));
  }

  /**
   * With the lock; all tables but those of {@code written} are in the file.
   *
   * @param written those of {@code next} that are new
   */
  private void replace(List<BitmapEntry> next, List<BitmapEntry> dropped, List<BitmapEntry> written)
      throws Qcow2Exception {
    Storage file = io.file();
    long before = directory.offset();
    long beforeBytes = directory.bytes();
    List<BitmapTable> old = new ArrayList<>();
    long place = 0;
    try {
      for (BitmapEntry entry : dropped) {
        old.add(BitmapTable.read(file, geometry, entry));
      }
      place = BitmapDirectory.write(tables, next);
      image.metadata().write(file);
    } catch (Qcow2Exception e) {
      tables.giveBack(place, place == 0 ? 0 : BitmapDirectory.bytes(next));
      giveBack(written);
      throw e;
    }
    try {
      directory.lead(file, image.headerFile(), next, place);
    } catch (Qcow2Exception e) {
      image.writeNoMore();
      throw e;
    }
    tables.giveBack(before, beforeBytes);
    for (int i = 0; i < old.size(); i++) {
      giveBack(dropped.get(i), old.get(i));
    }
    image.metadata().settle(file);
  }

  private void giveBack(List<BitmapEntry> written) throws Qcow2Exception {
    for (BitmapEntry entry : written) {
      giveBack(entry, BitmapTable.read(io.file(), geometry, entry));
    }
    image.metadata().settle(io.file());
  }

  private void giveBack(BitmapEntry entry, BitmapTable table) throws Qcow2Exception {
    table.giveBack(tables, geometry);
    tables.giveBack(entry.tableOffset(), 8L * entry.tableSize());
  }
}

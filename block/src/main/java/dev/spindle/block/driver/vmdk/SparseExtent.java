// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vmdk;

import dev.spindle.block.format.CheckTally;
import dev.spindle.block.format.Extent;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.MetadataCache;
import dev.spindle.block.format.NewCluster;
import dev.spindle.block.format.ZlibUnits;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.BitSet;

/**
 * A hosted sparse extent (Virtual Disk Format, "Hosted Sparse Extents"): grains, found through a
 * directory of tables. All methods are called with the image's lock held.
 */
final class SparseExtent {
  private static final int ENTRY = 4;
  private static final int MARKER = 12;

  /** How far behind the end of the file there may be grains that a crash has kept from it. */
  private static final long MOST_LOST = 1 << 30;

  private final int index;
  private final SparseHeader header;
  private final MetadataCache cache = new MetadataCache(ByteOrder.LITTLE_ENDIAN);

  /** Where the last grain ends, in sectors. */
  private long end;

  /** What is left of a grain's sector when it is divided by a grain's size; alike for all. */
  private long phase;

  private final ZlibUnits units = new ZlibUnits();

  /** Makes an extent of one of the image's files. */
  SparseExtent(int index, SparseHeader header) {
    this.index = index;
    this.header = header;
  }

  SparseHeader header() {
    return header;
  }

  /** In which of the image's files it is. */
  int index() {
    return index;
  }

  /** As {@link dev.spindle.block.format.Image#map}, with offsets in the extent. */
  Extent map(ImageIo io, long offset, long length) throws ImageException {
    long grain = header.grainBytes();
    long within = offset % grain;
    long run = Math.min(grain - within, length);
    long entry = entry(io, offset / grain);
    if (entry == 0) {
      return new Extent.Absent(run);
    }
    if (entry == 1 && header.hasZeroedGrains()) {
      return new Extent.Zeroes(run);
    }
    if (header.compressed()) {
      return new Extent.Packed(run);
    }
    return new Extent.Data(index, entry * 512 + within, run);
  }

  /** Where a grain is, in sectors; 0 if nowhere. */
  private long entry(ImageIo io, long grain) throws ImageException {
    long table = table(io, header.directory(), grain);
    return table == 0 ? 0 : cache.u32(io.file(index), slot(table, grain));
  }

  /** Where the table of a grain is, in bytes; 0 if there is none. */
  private long table(ImageIo io, long directory, long grain) throws ImageException {
    long number = grain / header.tableEntries();
    return cache.u32(io.file(index), directory + number * ENTRY) * 512;
  }

  private long slot(long table, long grain) {
    return table + grain % header.tableEntries() * ENTRY;
  }

  /** Looks at a grain. */
  @FunctionalInterface
  private interface Visitor {
    void visit(long grain, long sector) throws ImageException;
  }

  /** Looks at all grains that are held as data. */
  private void forEach(ImageIo io, Visitor visitor) throws ImageException {
    ImageFile file = io.file(index);
    for (long number = 0; number < header.tables(); number++) {
      long first = number * header.tableEntries();
      long at = table(io, header.directory(), first);
      if (at == 0) {
        continue;
      }
      Fields table = file.read(at, header.tableEntries() * ENTRY, ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < header.tableEntries(); i++) {
        long sector = table.u32(i * ENTRY);
        if (sector > (header.hasZeroedGrains() ? 1 : 0)) {
          visitor.visit(first + i, sector);
        }
      }
    }
  }

  /** As {@link dev.spindle.block.format.Image#beginWrites}: no two grains may overlap. */
  void beginWrites(ImageIo io) throws ImageException {
    ImageFile file = io.file(index);
    long size = header.grainBytes() / 512;
    BitSet used = new BitSet();
    end = header.overhead();
    phase = -1;
    forEach(
        io,
        (grain, sector) -> {
          phase = phase < 0 ? sector % size : phase;
          boolean far = sector * 512 > file.length() + MOST_LOST;
          boolean aside = sector % size != phase;
          if (far || aside || sector < header.overhead() || used.get((int) (sector / size))) {
            throw new ImageException(
                "%s: the grain at sector %d overlaps with something else: the image can only be read"
                    .formatted(file.name(), sector));
          }
          used.set((int) (sector / size));
          end = Math.max(end, sector + size);
        });
    phase = phase < 0 ? end % size : phase;
  }

  /** As {@link dev.spindle.block.format.Image#check}. */
  void check(ImageIo io, CheckTally tally) throws ImageException {
    ImageFile file = io.file(index);
    long size = header.grainBytes() / 512;
    BitSet used = new BitSet();
    forEach(
        io,
        (grain, sector) -> {
          if (sector * 512 >= file.length()) {
            tally.lastingError(
                "cluster offset after file size for sector %d".formatted(grain * size));
          } else if (!header.compressed()) {
            int place = Math.toIntExact(sector / size);
            if (sector < header.overhead() || used.get(place)) {
              tally.lastingError("the grain at sector %d overlaps".formatted(sector));
            }
            used.set(place);
          }
        });
  }

  NewCluster allocate(ImageIo io, long cluster) throws ImageException {
    ImageFile file = io.file(index);
    long grain = cluster / header.grainBytes();
    boolean missing = table(io, header.directory(), grain) == 0;
    if (missing || (header.backup() != 0 && table(io, header.backup(), grain) == 0)) {
      throw new ImageException(
          "%s: there is no grain table for offset %d, and none is made"
              .formatted(file.name(), cluster));
    }
    long size = header.grainBytes();
    long after = Math.max(end * 512, file.length());
    // Whatever the file's length is: an entry says sectors, and grains must not overlap.
    long start = after + Math.floorMod(phase * 512 - after, size);
    if (start / 512 > 0xffff_ffffL) {
      throw new ImageException(file.name() + " is as large as a sparse extent can be");
    }
    file.resize(start + size);
    end = (start + size) / 512;
    return new NewCluster(index, start, true);
  }

  void link(ImageIo io, long cluster, NewCluster where) throws ImageException {
    long grain = cluster / header.grainBytes();
    ImageFile file = io.file(index);
    if (header.backup() != 0) {
      long table = table(io, header.backup(), grain);
      cache.put32(file, slot(table, grain), where.offset() / 512);
    }
    long table = table(io, header.directory(), grain);
    cache.put32(file, slot(table, grain), where.offset() / 512);
  }

  /** As {@link dev.spindle.block.format.Image#unpack}, with offsets in the extent. */
  void unpack(ImageIo io, long offset, MemorySegment target) throws ImageException {
    ImageFile file = io.file(index);
    long size = header.grainBytes();
    long grain = offset / size;
    long at = entry(io, grain) * 512;
    Fields marker = file.read(at, MARKER, ByteOrder.LITTLE_ENDIAN);
    long packed = marker.u32(8);
    if (packed == 0 || packed > 2 * size) {
      throw new ImageException(
          "%s: the grain at offset %d is said to take %d bytes".formatted(file.name(), at, packed));
    }
    if (marker.bits64(0) != grain * (size / 512)) {
      throw new ImageException(
          "%s: the grain at offset %d is another than number %d".formatted(file.name(), at, grain));
    }
    // The disk's last grain may be a part of one.
    int bytes = (int) Math.min(size, header.capacity() - grain * size);
    units.copy(file, at + MARKER, packed, bytes, offset % size, target);
  }
}

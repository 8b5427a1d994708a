// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * Where the parts of a VHDX file are (MS-VHDX 2.2.3).
 *
 * @param table the block allocation table
 * @param metadata the metadata region
 * @param all every region, the first megabyte and the log among them
 */
record VhdxRegions(Region table, Region metadata, List<Region> all) {
  static final List<Long> PLACES = List.of(192L << 10, 256L << 10);
  private static final int BYTES = 64 << 10;
  private static final int MOST_ENTRIES = 2047;
  private static final int ENTRY = 32;
  private static final UUID TABLE = UUID.fromString("2dc27766-f623-4200-9d64-115e9bfd4a08");
  private static final UUID METADATA = UUID.fromString("8b7ca206-4790-4b9a-b8fe-575f050f886e");

  /** A range of the file, in bytes. */
  record Region(long offset, long length) {
    long end() {
      return offset + length;
    }
  }

  static VhdxRegions read(ImageFile file, VhdxHeader header) throws ImageException {
    Fields fields = find(file);
    long count = fields.u32(8);
    if (count > MOST_ENTRIES) {
      throw new ImageException(file.name() + ": the region table has " + count + " entries");
    }
    Region table = null;
    Region metadata = null;
    List<Region> all = new ArrayList<>();
    all.add(new Region(0, VhdxHeader.MIB));
    add(file, all, new Region(header.logOffset(), header.logLength()));
    for (int i = 0; i < count; i++) {
      Fields entry = fields.part(16 + i * ENTRY, ENTRY);
      UUID kind = VhdxGuid.read(entry, 0);
      Region region =
          new Region(entry.u64(16, "a region's offset in " + file.name()), entry.u32(24));
      add(file, all, region);
      if (kind.equals(TABLE) && table == null) {
        table = region;
      } else if (kind.equals(METADATA) && metadata == null) {
        metadata = region;
      } else if ((entry.u32(28) & 1) != 0) {
        throw new ImageException(
            "%s: a region that is required, %s, is not known".formatted(file.name(), kind));
      }
    }
    if (table == null || metadata == null) {
      throw new ImageException(
          file.name() + " lacks its block allocation table or its metadata region");
    }
    return new VhdxRegions(table, metadata, List.copyOf(all));
  }

  /** The table of an image with these two regions, and the log. */
  static Fields table(long table, long tableBytes, long metadata, long metadataBytes) {
    Fields fields = Fields.zeroes(BYTES, ByteOrder.LITTLE_ENDIAN).put(0, "regi").put32(8, 2);
    fields.put(16, VhdxGuid.bytes(TABLE)).put64(32, table).put32(40, tableBytes).put32(44, 1);
    fields.put(48, VhdxGuid.bytes(METADATA)).put64(64, metadata).put32(72, metadataBytes);
    fields.put32(76, 1);
    return fields.put32(4, VhdxHeader.checksum(fields));
  }

  private static Fields find(ImageFile file) throws ImageException {
    for (long place : PLACES) {
      Fields fields = file.read(place, BYTES, ByteOrder.LITTLE_ENDIAN);
      if (fields.text(0, 4).equals("regi") && fields.u32(4) == VhdxHeader.checksum(fields)) {
        return fields;
      }
    }
    throw new ImageException(file.name() + " has no valid region table");
  }

  private static void add(ImageFile file, List<Region> all, Region region) throws ImageException {
    boolean aligned = region.offset % VhdxHeader.MIB == 0 && region.length % VhdxHeader.MIB == 0;
    boolean inside = region.offset <= file.length() - region.length;
    boolean free =
        all.stream().noneMatch(other -> region.offset < other.end() && other.offset < region.end());
    if (!aligned || !inside || !free) {
      throw new ImageException(
          "%s: the region of %d bytes at offset %d overlaps with another, or leaves the file"
              .formatted(file.name(), region.length, region.offset));
    }
    all.add(region);
  }
}

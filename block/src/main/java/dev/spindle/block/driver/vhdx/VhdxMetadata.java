// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * What the metadata region says of the disk (MS-VHDX 2.6).
 *
 * @param size of the disk in bytes
 * @param block in what pieces, in bytes
 * @param sectorBytes of one logical sector
 */
record VhdxMetadata(long size, long block, long sectorBytes) {
  private static final int TABLE_BYTES = 64 << 10;
  private static final int ENTRY = 32;
  private static final int MOST_ENTRIES = 2047;
  static final long MOST_SIZE = 64L << 40;
  static final long MOST_BLOCK = 256 << 20;
  private static final int HAS_PARENT = 2;
  private static final int OF_DISK = 2;
  private static final int REQUIRED = 4;
  private static final int SECTOR = 512;

  private static final UUID PARAMETERS = UUID.fromString("caa16737-fa36-4d43-b3b6-33f0aa44e76b");
  private static final UUID SIZE = UUID.fromString("2fa54224-cd1b-4876-b211-5dbed83bf4b8");
  private static final UUID DISK_ID = UUID.fromString("beca12ab-b2e6-4523-93ef-c309e000c746");
  private static final UUID LOGICAL = UUID.fromString("8141bf1d-a96f-4709-ba47-f233a8faab5f");
  private static final UUID PHYSICAL = UUID.fromString("cda348c7-445d-4471-9cc9-e9885251c556");
  private static final Set<UUID> KNOWN = Set.of(PARAMETERS, SIZE, DISK_ID, LOGICAL, PHYSICAL);

  static VhdxMetadata read(ImageFile file, VhdxRegions regions) throws ImageException {
    Fields table = file.read(regions.metadata().offset(), TABLE_BYTES, ByteOrder.LITTLE_ENDIAN);
    int count = table.u16(10);
    if (!table.text(0, 8).equals("metadata") || count > MOST_ENTRIES) {
      throw new ImageException(file.name() + " has no valid metadata table");
    }
    Map<UUID, Fields> items = new HashMap<>();
    for (int i = 0; i < count; i++) {
      Fields entry = table.part(ENTRY + i * ENTRY, ENTRY);
      UUID id = VhdxGuid.read(entry, 0);
      if (KNOWN.contains(id)) {
        items.put(id, item(file, regions, entry));
      } else if ((entry.u32(24) & REQUIRED) != 0) {
        throw new ImageException(
            "%s: metadata that is required, %s, is not known".formatted(file.name(), id));
      }
    }
    return new VhdxMetadata(
            required(file, items, SIZE, 8).u64(0, "the size of " + file.name()),
            required(file, items, PARAMETERS, 8).u32(0),
            required(file, items, LOGICAL, 4).u32(0))
        .checked(file, items.get(PARAMETERS).u32(4));
  }

  private static Fields item(ImageFile file, VhdxRegions regions, Fields entry)
      throws ImageException {
    long offset = entry.u32(16);
    long length = entry.u32(20);
    boolean inside = offset >= TABLE_BYTES && offset + length <= regions.metadata().length();
    if (!inside || length > TABLE_BYTES || length == 0) {
      throw new ImageException(
          "%s: %d bytes of metadata at offset %d are not inside their region"
              .formatted(file.name(), length, offset));
    }
    return file.read(regions.metadata().offset() + offset, (int) length, ByteOrder.LITTLE_ENDIAN);
  }

  private static Fields required(ImageFile file, Map<UUID, Fields> items, UUID id, int bytes)
      throws ImageException {
    Fields fields = items.get(id);
    if (fields == null || fields.size() < bytes) {
      throw new ImageException("%s: metadata %s is missing".formatted(file.name(), id));
    }
    return fields;
  }

  private VhdxMetadata checked(ImageFile file, long flags) throws ImageException {
    if ((flags & HAS_PARENT) != 0) {
      throw new ImageException(file.name() + ": VHDX images with a parent are not supported");
    }
    if (sectorBytes != 512 && sectorBytes != 4096) {
      throw new ImageException(
          "%s: logical sectors of %d bytes are not possible".formatted(file.name(), sectorBytes));
    }
    if (Long.bitCount(block) != 1 || block < VhdxHeader.MIB || block > MOST_BLOCK) {
      throw new ImageException(
          "%s: blocks of %d bytes are not possible".formatted(file.name(), block));
    }
    if (size > MOST_SIZE || size % sectorBytes != 0) {
      throw new ImageException(
          "%s: a disk of %d bytes is not possible".formatted(file.name(), size));
    }
    return this;
  }

  /** The metadata region's table and what it leads to, for a new image. */
  Fields table() {
    Fields table = Fields.zeroes(TABLE_BYTES + SECTOR, ByteOrder.LITTLE_ENDIAN).put(0, "metadata");
    Fields items = table.part(TABLE_BYTES, SECTOR);
    items.put32(0, block);
    items.put64(8, size);
    items.put(16, VhdxGuid.bytes(UUID.randomUUID()));
    items.put32(32, sectorBytes).put32(36, 4096);
    UUID[] ids = {PARAMETERS, SIZE, DISK_ID, LOGICAL, PHYSICAL};
    int[] offsets = {0, 8, 16, 32, 36, 40};
    table.put16(10, ids.length);
    for (int i = 0; i < ids.length; i++) {
      Fields entry = table.part(ENTRY + i * ENTRY, ENTRY).put(0, VhdxGuid.bytes(ids[i]));
      entry.put32(16, TABLE_BYTES + offsets[i]).put32(20, offsets[i + 1] - offsets[i]);
      // Everything but the file's own parameters is the disk's.
      entry.put32(24, i == 0 ? REQUIRED : REQUIRED | OF_DISK);
    }
    return table;
  }

  /** Blocks of data between two entries for bitmaps in the table (MS-VHDX 2.5.1). */
  long chunkRatio() {
    return (sectorBytes << 23) / block;
  }

  /** Blocks of data. */
  long blocks() {
    return (size + block - 1) / block;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import dev.spindle.block.driver.vhdx.VhdxRegions.Region;
import dev.spindle.block.format.Extent;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.MetadataCache;
import dev.spindle.block.format.NewCluster;
import java.nio.ByteOrder;
import java.util.BitSet;

/**
 * An open VHDX image. Its log is replayed when it is opened, and not written: what changes then is
 * one entry of the table at a time, in one sector, after the block that it leads to is on stable
 * storage; a crash finds either the old entry or the new one, and both are valid.
 */
final class VhdxImage extends Image {
  private static final int ENTRY = 8;
  private static final long STATE = 7;
  private static final int NOT_PRESENT = 0;
  private static final int UNDEFINED = 1;
  private static final int ZERO = 2;
  private static final int UNMAPPED = 3;
  private static final int FULLY_PRESENT = 6;
  private static final long OFFSET = -VhdxHeader.MIB;

  /** Bytes of the table that are looked through at once: whole entries. */
  private static final int SCAN = 64 << 10;

  /** Of a file that is written, in MiB: a bit for each takes 16 MiB. */
  private static final long MOST_MIB = 1 << 27;

  private final VhdxRegions regions;
  private final VhdxMetadata metadata;
  private final MetadataCache table = new MetadataCache(ByteOrder.LITTLE_ENDIAN);
  private VhdxHeader header;

  /** Where the next block goes, in bytes. */
  private long free;

  VhdxImage(VhdxHeader header, VhdxRegions regions, VhdxMetadata metadata) throws ImageException {
    this.header = header;
    this.regions = regions;
    this.metadata = metadata;
    if (metadata.blocks() > 0 && (index(metadata.blocks() - 1) + 1) * ENTRY > tableBytes()) {
      throw new ImageException(
          "A block allocation table of %d bytes is too small for a disk of %d"
              .formatted(tableBytes(), metadata.size()));
    }
  }

  private long tableBytes() {
    return regions.table().length();
  }

  /** The entry of a block: there are entries for bitmaps in between. */
  private long index(long block) {
    return block + block / metadata.chunkRatio();
  }

  private long slot(long offset) {
    return regions.table().offset() + index(offset / metadata.block()) * ENTRY;
  }

  @Override
  public long length() {
    return metadata.size();
  }

  @Override
  public long clusterSize() {
    return metadata.block();
  }

  @Override
  public Extent map(ImageIo io, long offset, long length) throws ImageException {
    long within = offset % metadata.block();
    long run = Math.min(metadata.block() - within, length);
    long entry = table.bits64(io.file(), slot(offset));
    return switch ((int) (entry & STATE)) {
      case NOT_PRESENT, UNDEFINED, UNMAPPED -> new Extent.Absent(run);
      case ZERO -> new Extent.Zeroes(run);
      case FULLY_PRESENT -> {
        if (entry < 0) {
          throw new ImageException(io.file().name() + ": a block is beyond all files");
        }
        yield new Extent.Data(0, (entry & OFFSET) + within, run);
      }
      default ->
          throw new ImageException(
              "%s: the block at %d of the disk has state %d, which it cannot have"
                  .formatted(io.file().name(), offset, entry & STATE));
    };
  }

  /** No block may overlap with another one nor with a region. */
  @Override
  public void beginWrites(ImageIo io) throws ImageException {
    ImageFile file = io.file();
    if (file.length() / VhdxHeader.MIB >= MOST_MIB) {
      throw new ImageException(file.name() + " is too large to be written");
    }
    BitSet used = new BitSet();
    for (Region region : regions.all()) {
      use(file, used, region.offset(), region.length());
    }
    free = 0;
    long blocks = metadata.blocks();
    long entries = blocks == 0 ? 0 : index(blocks - 1) + 1;
    for (long first = 0; first < entries; first += SCAN / ENTRY) {
      int count = (int) Math.min(SCAN / ENTRY, entries - first);
      Fields part =
          file.read(
              regions.table().offset() + first * ENTRY, count * ENTRY, ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < count; i++) {
        boolean isBlock = (first + i + 1) % (metadata.chunkRatio() + 1) != 0;
        long entry = part.bits64(i * ENTRY);
        if (isBlock && (entry & STATE) == FULLY_PRESENT) {
          use(file, used, entry & OFFSET, metadata.block());
        }
      }
    }
    free = (file.length() + VhdxHeader.MIB - 1) & OFFSET;
  }

  private static void use(ImageFile file, BitSet used, long offset, long length)
      throws ImageException {
    int from = (int) (offset / VhdxHeader.MIB);
    int to = (int) ((offset + length) / VhdxHeader.MIB);
    boolean inside = offset >= 0 && offset < file.length();
    if (!inside || (used.nextSetBit(from) >= 0 && used.nextSetBit(from) < to)) {
      throw new ImageException(
          "%s: what is at offset %d overlaps with something else: the image can only be read"
              .formatted(file.name(), offset));
    }
    used.set(from, to);
  }

  @Override
  public void firstChange(ImageIo io) throws ImageException {
    header = header.changed(io.file());
  }

  @Override
  public NewCluster allocate(ImageIo io, long cluster) throws ImageException {
    long start = free;
    if ((start + metadata.block()) / VhdxHeader.MIB >= MOST_MIB) {
      throw new ImageException(io.file().name() + " is too large to grow");
    }
    io.file().resize(start + metadata.block());
    free = start + metadata.block();
    return new NewCluster(0, start, true);
  }

  @Override
  public void link(ImageIo io, long cluster, NewCluster where) throws ImageException {
    io.file().flush();
    table.put64(io.file(), slot(cluster), where.offset() | FULLY_PRESENT);
  }
}

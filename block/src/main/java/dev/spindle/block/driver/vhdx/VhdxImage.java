// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import dev.spindle.block.driver.vhdx.VhdxRegions.Region;
import dev.spindle.block.format.CheckTally;
import dev.spindle.block.format.EntryTable;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.NewCluster;
import dev.spindle.block.format.TableImage;
import dev.spindle.block.image.ImageDescription;
import java.nio.ByteOrder;
import java.util.BitSet;

/**
 * An open VHDX image. Its log is replayed when it is opened, and not written: what changes then is
 * one entry of the table at a time, in one sector, after the block that it leads to is on stable
 * storage; a crash finds either the old entry or the new one, and both are valid.
 */
final class VhdxImage extends TableImage {
  private static final int ENTRY = 8;
  private static final long STATE = 7;
  private static final int NOT_PRESENT = 0;
  private static final int UNDEFINED = 1;
  private static final int ZERO = 2;
  private static final int UNMAPPED = 3;
  private static final int FULLY_PRESENT = 6;
  private static final long OFFSET = -VhdxHeader.MIB;

  /** Of a file that is written, in MiB: a bit for each takes 16 MiB. */
  private static final long MOST_MIB = 1 << 27;

  private final VhdxRegions regions;
  private final VhdxMetadata metadata;
  private final EntryTable table;
  private VhdxHeader header;

  /** Where the next block goes, in bytes. */
  private long free;

  /** Whether a log was replayed when it was opened, of which no check has told. */
  private boolean replayed;

  VhdxImage(VhdxHeader header, VhdxRegions regions, VhdxMetadata metadata, boolean replayed)
      throws ImageException {
    this.replayed = replayed;
    this.header = header;
    this.regions = regions;
    this.metadata = metadata;
    if (metadata.blocks() > 0 && (index(metadata.blocks() - 1) + 1) * ENTRY > tableBytes()) {
      throw new ImageException(
          "A block allocation table of %d bytes is too small for a disk of %d"
              .formatted(tableBytes(), metadata.size()));
    }
    long blocks = metadata.blocks();
    this.table =
        new EntryTable(
            regions.table().offset(),
            blocks == 0 ? 0 : index(blocks - 1) + 1,
            ENTRY,
            ByteOrder.LITTLE_ENDIAN);
  }

  private long tableBytes() {
    return regions.table().length();
  }

  /** The entry of a block: there are entries for bitmaps in between. */
  private long index(long block) {
    return block + block / metadata.chunkRatio();
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
  public ImageDescription describe(ImageIo io) {
    return ImageDescription.ofClusters(metadata.block());
  }

  @Override
  protected long place(ImageFile file, long block) throws ImageException {
    long entry = table.get(file, index(block));
    return switch ((int) (entry & STATE)) {
      case NOT_PRESENT, UNDEFINED, UNMAPPED -> ABSENT;
      case ZERO -> ZEROES;
      case FULLY_PRESENT -> {
        if (entry < 0) {
          throw new ImageException(file.name() + ": a block is beyond all files");
        }
        yield entry & OFFSET;
      }
      default ->
          throw new ImageException(
              "%s: block %d of the disk has state %d, which it cannot have"
                  .formatted(file.name(), block, entry & STATE));
    };
  }

  private boolean isBlock(long entry) {
    return (entry + 1) % (metadata.chunkRatio() + 1) != 0;
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
    table.forEach(
        file,
        (index, entry) -> {
          if (isBlock(index) && (entry & STATE) == FULLY_PRESENT) {
            use(file, used, entry & OFFSET, metadata.block());
          }
        });
    free = (file.length() + VhdxHeader.MIB - 1) & OFFSET;
  }

  @Override
  public void check(ImageIo io, CheckTally tally) throws ImageException {
    ImageFile file = io.file();
    if (replayed && tally.repairs()) {
      tally.alreadyMended();
      replayed = false;
    }
    BitSet used = new BitSet();
    for (Region region : regions.all()) {
      note(file, used, region.offset(), region.length(), "region at " + region.offset(), tally);
    }
    table.forEach(
        file,
        (index, entry) -> {
          if (isBlock(index) && (entry & STATE) == FULLY_PRESENT) {
            note(file, used, entry & OFFSET, metadata.block(), "BAT entry " + index, tally);
          }
        });
  }

  private static void note(
      ImageFile file, BitSet used, long offset, long length, String what, CheckTally tally) {
    if (offset < 0 || offset > Math.min(file.length(), MOST_MIB * VhdxHeader.MIB) - length) {
      tally.lastingError(
          "%s leads to offset %d, and %d bytes there are not in the file of %d"
              .formatted(what, offset, length, file.length()));
      return;
    }
    int from = (int) (offset / VhdxHeader.MIB);
    int to = (int) ((offset + length) / VhdxHeader.MIB);
    int next = used.nextSetBit(from);
    if (next >= 0 && next < to) {
      tally.lastingError("%s leads to offset %d, which is in use".formatted(what, offset));
    }
    used.set(from, to);
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
    table.put(io.file(), index(cluster / metadata.block()), where.offset() | FULLY_PRESENT);
  }
}

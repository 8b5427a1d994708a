// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vpc;

import dev.spindle.block.format.EntryTable;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.NewCluster;
import dev.spindle.block.format.TableImage;
import dev.spindle.block.image.ImageDescription;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A dynamic VHD: blocks, each behind a bitmap of its sectors, in the order in which they were first
 * written, found through a table ("Dynamic Disk Header Format", "Block Allocation Table"). The last
 * sector of the file is a copy of the first.
 */
final class DynamicVpcImage extends TableImage {
  static final int HEADER_BYTES = 1024;
  static final String COOKIE = "cxsparse";
  static final int AT_NEXT = 8;
  static final int AT_TABLE = 16;
  static final int AT_VERSION = 24;
  static final int AT_ENTRIES = 28;
  static final int AT_BLOCK_SIZE = 32;
  static final int AT_CHECKSUM = 36;
  static final long VERSION = 0x0001_0000;
  static final long UNALLOCATED = 0xffff_ffffL;

  /** Programs make blocks of 512 KiB and 2 MiB; these are the bounds of what is reasonable. */
  private static final long LEAST_BLOCK = 512 << 10;

  private static final long MOST_BLOCK = 256 << 20;
  private static final int ENTRY = 4;

  private final VpcFooter footer;
  private final long table;
  private final long entries;
  private final long block;
  private final long bitmap;
  private final EntryTable blocks;

  /** Where the next block goes, in the file, in bytes: where the footer is. */
  private long free;

  private DynamicVpcImage(VpcFooter footer, long table, long entries, long block) {
    this.footer = footer;
    this.table = table;
    this.entries = entries;
    this.block = block;
    this.bitmap = bitmapBytes(block);
    this.blocks = new EntryTable(table, used(), ENTRY, ByteOrder.BIG_ENDIAN);
  }

  /** A bit for each sector, in whole sectors. */
  static long bitmapBytes(long block) {
    return (block / 512 / 8 + 511) & -512;
  }

  static DynamicVpcImage open(ImageFile file, VpcFooter footer) throws ImageException {
    Fields header = file.read(footer.dataOffset(), HEADER_BYTES, ByteOrder.BIG_ENDIAN);
    if (!header.text(0, COOKIE.length()).equals(COOKIE)) {
      throw new ImageException(file.name() + " has no dynamic disk header");
    }
    if (header.u32(AT_CHECKSUM) != VpcFooter.checksum(header, AT_CHECKSUM)) {
      throw new ImageException(file.name() + ": the checksum of the dynamic disk header is wrong");
    }
    long block = header.u32(AT_BLOCK_SIZE);
    if (Long.bitCount(block) != 1 || block < LEAST_BLOCK || block > MOST_BLOCK) {
      throw new ImageException(
          "%s: blocks of %d bytes are not supported".formatted(file.name(), block));
    }
    long table = header.u64(AT_TABLE, "the offset of the block allocation table");
    long entries = header.u32(AT_ENTRIES);
    DynamicVpcImage image = new DynamicVpcImage(footer, table, entries, block);
    image.checkTable(file);
    return image;
  }

  private void checkTable(ImageFile file) throws ImageException {
    if (entries * block < footer.size()) {
      throw new ImageException(
          "%s: a block allocation table of %d entries is too small for %d bytes"
              .formatted(file.name(), entries, footer.size()));
    }
    boolean inside = table <= file.length() && used() * ENTRY <= file.length() - table;
    if (table % 512 != 0 || table < VpcFooter.BYTES || !inside) {
      throw new ImageException(
          "%s: the block allocation table at offset %d is not inside the file"
              .formatted(file.name(), table));
    }
  }

  /** Entries that the disk's size comes to. */
  private long used() {
    return (footer.size() + block - 1) / block;
  }

  @Override
  public long length() {
    return footer.size();
  }

  @Override
  public long clusterSize() {
    return block;
  }

  @Override
  public ImageDescription describe(ImageIo io) {
    return ImageDescription.ofClusters(block);
  }

  @Override
  protected long place(ImageFile file, long index) throws ImageException {
    long sector = blocks.get(file, index);
    return sector == UNALLOCATED ? ABSENT : sector * 512 + bitmap;
  }

  /** Blocks must neither overlap with each other nor with the tables. */
  @Override
  public void beginWrites(ImageIo io) throws ImageException {
    ImageFile file = io.file();
    long tablesEnd = Math.max(table + used() * ENTRY, footer.dataOffset() + HEADER_BYTES);
    free = (tablesEnd + 511) & -512;
    // Sectors, with the sign turned round for them to sort as what they are: 17 MB at most.
    int[] starts = new int[Math.toIntExact(used())];
    blocks.forEach(
        file,
        (index, sector) -> {
          // What is not there sorts to the end.
          starts[(int) index] = (int) sector ^ Integer.MIN_VALUE;
        });
    Arrays.sort(starts);
    for (int key : starts) {
      long sector = (key ^ Integer.MIN_VALUE) & 0xffff_ffffL;
      if (sector == UNALLOCATED) {
        break;
      }
      long start = sector * 512;
      if (start < free) {
        throw new ImageException(
            "%s: the block at offset %d overlaps with what is before it: the image can only be read"
                .formatted(file.name(), start));
      }
      free = start + bitmap + block;
    }
  }

  @Override
  public NewCluster allocate(ImageIo io, long cluster) throws ImageException {
    ImageFile file = io.file();
    long start = free;
    long end = start + bitmap + block;
    if (end / 512 >= UNALLOCATED) {
      throw new ImageException(file.name() + " is as large as a VHD image can be");
    }
    boolean zeroed = start + bitmap >= file.length();
    // The footer moves to the end before it is written over.
    file.write(end, footer.fields());
    free = end;
    Fields all = Fields.zeroes(Math.toIntExact(bitmap), ByteOrder.BIG_ENDIAN);
    all.memory().fill((byte) 0xff);
    file.write(start, all);
    return new NewCluster(0, start + bitmap, zeroed);
  }

  @Override
  public void link(ImageIo io, long cluster, NewCluster where) throws ImageException {
    blocks.put(io.file(), cluster / block, (where.offset() - bitmap) / 512);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vdi;

import static dev.spindle.block.driver.vdi.VdiHeader.BLOCK;
import static dev.spindle.block.driver.vdi.VdiHeader.ENTRY;

import dev.spindle.block.format.CheckTally;
import dev.spindle.block.format.EntryTable;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.NewCluster;
import dev.spindle.block.format.TableImage;
import dev.spindle.block.image.ImageDescription;
import java.nio.ByteOrder;
import java.util.BitSet;

/** An open VDI image: a map of blocks of 1 MiB. */
final class VdiImage extends TableImage {
  private static final long UNALLOCATED = 0xffff_ffffL;
  private static final long DISCARDED = 0xffff_fffeL;

  private final VdiHeader header;
  private final EntryTable map;

  /** The number of the first block of data that was never used, and what the header says of it. */
  private long next;

  private long recorded;

  /** Blocks of data that the map leads to, or is about to. */
  private BitSet used = new BitSet();

  /** Of those, the ones that the file had before: they hold what a crash has left there. */
  private final BitSet again = new BitSet();

  private VdiImage(VdiHeader header) {
    this.header = header;
    this.map = new EntryTable(header.mapOffset(), header.blocks(), ENTRY, ByteOrder.LITTLE_ENDIAN);
    this.recorded = header.allocated();
  }

  /** Opens an image. */
  static VdiImage open(ImageFile file) throws ImageException {
    return new VdiImage(VdiHeader.read(file));
  }

  /** No two entries of the map may lead to one block, or a write would change both. */
  @Override
  public void beginWrites(ImageIo io) throws ImageException {
    ImageFile file = io.file();
    used = new BitSet();
    again.clear();
    map.forEach(
        file,
        (index, block) -> {
          if (block < DISCARDED) {
            checkBlock(file, index, block);
            if (used.get((int) block)) {
              throw new ImageException(
                  "%s: block %d of the data is used twice: the image can only be read"
                      .formatted(file.name(), block));
            }
            used.set((int) block);
          }
        });
    // A crash may have kept the header from being written after the map.
    next = Math.max(header.allocated(), used.length());
  }

  private void checkBlock(ImageFile file, long index, long block) throws ImageException {
    if (block >= header.blocks()) {
      throw new ImageException(
          "%s: block %d of the disk is said to be block %d of the data, of %d"
              .formatted(file.name(), index, block, header.blocks()));
    }
  }

  @Override
  public ImageDescription describe(ImageIo io) {
    return ImageDescription.ofClusters(BLOCK);
  }

  @Override
  public void check(ImageIo io, CheckTally tally) throws ImageException {
    ImageFile file = io.file();
    if (tally.repairs()) {
      throw new ImageException(file.name() + ": VDI images can be checked, but not repaired");
    }
    BitSet seen = new BitSet();
    long[] allocated = new long[1];
    map.forEach(
        file,
        (index, block) -> {
          if (block >= DISCARDED) {
            return;
          }
          allocated[0] += block < header.blocks() ? 1 : 0;
          if (block >= header.blocks()) {
            tally.lastingError("block index %d too large, is %d".formatted(index, block));
          } else if (seen.get((int) block)) {
            tally.lastingError("block index %d also used by %d".formatted(block, index));
          } else {
            seen.set((int) block);
          }
        });
    if (allocated[0] != recorded) {
      tally.lastingError(
          "allocated blocks mismatch, is %d, should be %d".formatted(allocated[0], recorded));
    }
  }

  @Override
  public long length() {
    return header.size();
  }

  @Override
  public long clusterSize() {
    return BLOCK;
  }

  @Override
  protected long place(ImageFile file, long index) throws ImageException {
    long entry = map.get(file, index);
    if (entry == UNALLOCATED) {
      return ABSENT;
    }
    if (entry == DISCARDED) {
      return ZEROES;
    }
    checkBlock(file, index, entry);
    return header.dataOffset() + entry * BLOCK;
  }

  @Override
  public NewCluster allocate(ImageIo io, long cluster) throws ImageException {
    boolean isReused = next >= header.blocks();
    // A crash, or a write that failed, leaves blocks that nothing leads to.
    long block = isReused ? used.nextClearBit(0) : next;
    if (block >= header.blocks()) {
      throw new ImageException(io.file().name() + ": more blocks are used than the disk has");
    }
    long offset = header.dataOffset() + block * BLOCK;
    boolean isNew = offset >= io.file().length();
    if (offset + BLOCK > io.file().length()) {
      io.file().resize(offset + BLOCK);
    }
    next = Math.max(next, block + 1);
    used.set((int) block);
    again.set((int) block, !isNew);
    return new NewCluster(0, offset, isNew);
  }

  @Override
  public void release(NewCluster room) {
    used.clear((int) ((room.offset() - header.dataOffset()) / BLOCK));
  }

  @Override
  public void link(ImageIo io, long cluster, NewCluster where) throws ImageException {
    if (recorded < next) {
      // First, so that nobody gives the block away again whatever becomes of the rest.
      Fields count = io.file().read(0, VdiHeader.BYTES, ByteOrder.LITTLE_ENDIAN);
      io.file().write(0, count.put32(VdiHeader.AT_ALLOCATED, next));
      recorded = next;
    }
    int block = (int) ((where.offset() - header.dataOffset()) / BLOCK);
    if (again.get(block)) {
      io.file().flush();
      again.clear(block);
    }
    map.put(io.file(), cluster / BLOCK, block);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vdi;

import static dev.spindle.block.driver.vdi.VdiHeader.BLOCK;
import static dev.spindle.block.driver.vdi.VdiHeader.ENTRY;

import dev.spindle.block.format.Extent;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.MetadataCache;
import dev.spindle.block.format.NewCluster;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;

/** An open VDI image: a map of blocks of 1 MiB. */
final class VdiImage extends Image {
  private static final long UNALLOCATED = 0xffff_ffffL;
  private static final long DISCARDED = 0xffff_fffeL;

  /** Bytes of the map that are looked through at once. */
  private static final int SCAN = 64 << 10;

  private final VdiHeader header;
  private final MetadataCache map = new MetadataCache(ByteOrder.LITTLE_ENDIAN);

  /** The number of the first block of data that was never used, and what the header says of it. */
  private long next;

  private long recorded;

  /** Blocks of data below {@link #next} that were taken and given back. */
  private final Deque<Long> released = new ArrayDeque<>();

  private VdiImage(VdiHeader header) {
    this.header = header;
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
    BitSet used = new BitSet();
    long bytes = header.blocks() * ENTRY;
    for (long done = 0; done < bytes; done += SCAN) {
      int piece = (int) Math.min(SCAN, bytes - done);
      Fields entries = file.read(header.mapOffset() + done, piece, ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < piece; at += ENTRY) {
        long block = entries.u32(at);
        if (block < DISCARDED) {
          note(file, used, (done + at) / ENTRY, block);
        }
      }
    }
    released.clear();
    // A crash may have kept the header from being written after the map.
    next = Math.max(header.allocated(), used.length());
  }

  private void note(ImageFile file, BitSet used, long index, long block) throws ImageException {
    checkBlock(file, index, block);
    if (used.get((int) block)) {
      throw new ImageException(
          "%s: block %d of the data is used twice: the image can only be read"
              .formatted(file.name(), block));
    }
    used.set((int) block);
  }

  private void checkBlock(ImageFile file, long index, long block) throws ImageException {
    if (block >= header.blocks()) {
      throw new ImageException(
          "%s: block %d of the disk is said to be block %d of the data, of %d"
              .formatted(file.name(), index, block, header.blocks()));
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
  public Extent map(ImageIo io, long offset, long length) throws ImageException {
    long within = offset % BLOCK;
    long run = Math.min(BLOCK - within, length);
    long entry = entry(io, offset / BLOCK);
    if (entry == UNALLOCATED) {
      return new Extent.Absent(run);
    }
    if (entry == DISCARDED) {
      return new Extent.Zeroes(run);
    }
    checkBlock(io.file(), offset / BLOCK, entry);
    return new Extent.Data(0, header.dataOffset() + entry * BLOCK + within, run);
  }

  private long entry(ImageIo io, long index) throws ImageException {
    return map.u32(io.file(), header.mapOffset() + index * ENTRY);
  }

  @Override
  public NewCluster allocate(ImageIo io, long cluster) throws ImageException {
    Long again = released.poll();
    if (again != null) {
      return new NewCluster(0, header.dataOffset() + again * BLOCK, false);
    }
    if (next >= header.blocks()) {
      throw new ImageException(io.file().name() + ": more blocks are used than the disk has");
    }
    long offset = header.dataOffset() + next * BLOCK;
    boolean isNew = offset >= io.file().length();
    if (offset + BLOCK > io.file().length()) {
      io.file().resize(offset + BLOCK);
    }
    next++;
    return new NewCluster(0, offset, isNew);
  }

  @Override
  public void release(NewCluster room) {
    released.add((room.offset() - header.dataOffset()) / BLOCK);
  }

  @Override
  public void link(ImageIo io, long cluster, NewCluster where) throws ImageException {
    if (recorded < next) {
      // First, so that nobody gives the block away again whatever becomes of the rest.
      Fields count = io.file().read(0, VdiHeader.BYTES, ByteOrder.LITTLE_ENDIAN);
      io.file().write(0, count.put32(VdiHeader.AT_ALLOCATED, next));
      recorded = next;
    }
    long block = (where.offset() - header.dataOffset()) / BLOCK;
    map.put32(io.file(), header.mapOffset() + cluster / BLOCK * ENTRY, block);
  }
}

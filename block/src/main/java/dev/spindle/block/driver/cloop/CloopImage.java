// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.cloop;

import dev.spindle.block.format.Extent;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.MetadataCache;
import dev.spindle.block.format.ZlibUnits;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/** A compressed loop image: blocks of one size, each packed, and a table of where they begin. */
final class CloopImage extends Image {
  private static final int AT_BLOCK_SIZE = 128;
  private static final int TABLE = 136;
  private static final int ENTRY = 8;
  private static final long MOST_BLOCK = 4 << 20;

  private final long block;
  private final long blocks;
  private final MetadataCache table = new MetadataCache(ByteOrder.BIG_ENDIAN);
  private final ZlibUnits units = new ZlibUnits();

  private CloopImage(long block, long blocks) {
    this.block = block;
    this.blocks = blocks;
  }

  static CloopImage open(ImageFile file) throws ImageException {
    Fields fields = file.read(0, TABLE, ByteOrder.BIG_ENDIAN);
    if (!fields.text(0, 128).contains("#V2.0 Format")) {
      throw new ImageException(file.name() + " is not a compressed loop image of version 2");
    }
    long block = fields.u32(AT_BLOCK_SIZE);
    long blocks = fields.u32(AT_BLOCK_SIZE + 4);
    if (block == 0 || block % 512 != 0 || block > MOST_BLOCK) {
      throw new ImageException(
          "%s: blocks of %d bytes are not supported".formatted(file.name(), block));
    }
    if (TABLE + (blocks + 1) * ENTRY > file.length()) {
      throw new ImageException(
          "%s has %d bytes, too few for a table of %d blocks"
              .formatted(file.name(), file.length(), blocks));
    }
    return new CloopImage(block, blocks);
  }

  @Override
  public long length() {
    return blocks * block;
  }

  @Override
  public String readOnlyReason() {
    return "compressed loop images are only read";
  }

  @Override
  public Extent map(ImageIo io, long offset, long length) {
    return new Extent.Packed(Math.min(length, block - offset % block));
  }

  @Override
  public void unpack(ImageIo io, long offset, MemorySegment target) throws ImageException {
    long number = offset / block;
    ImageFile file = io.file();
    long start = table.bits64(file, TABLE + number * ENTRY);
    long end = table.bits64(file, TABLE + (number + 1) * ENTRY);
    if (start < TABLE || end <= start || end - start > 2 * block) {
      throw new ImageException(
          "%s: block %d is said to be from offset %d to %d"
              .formatted(file.name(), number, start, end));
    }
    units.copy(file, start, end - start, (int) block, offset % block, target);
  }
}

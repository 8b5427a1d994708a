// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.dmg;

import dev.spindle.block.driver.dmg.DmgTables.Chunk;
import dev.spindle.block.format.Extent;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.ZlibUnits;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** An open disk image of Apple's: chunks, each held in its own way. */
final class DmgImage extends Image {
  private final long size;
  private final List<Chunk> chunks;
  private final ZlibUnits units = new ZlibUnits();

  private DmgImage(DmgTables tables) {
    this.size = tables.size();
    this.chunks = tables.chunks();
  }

  static DmgImage open(ImageFile file) throws ImageException {
    return new DmgImage(DmgTables.read(file));
  }

  @Override
  public long length() {
    return size;
  }

  @Override
  public String readOnlyReason() {
    return "disk images of Apple's are only read";
  }

  /** The number of the last chunk that begins at an offset or before; -1 if none does. */
  private int find(long offset) {
    int low = -1;
    int high = chunks.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >> 1;
      if (chunks.get(middle).start() <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  @Override
  public Extent map(ImageIo io, long offset, long length) {
    int number = find(offset);
    if (number < 0 || offset >= chunks.get(number).end()) {
      long end = number + 1 < chunks.size() ? chunks.get(number + 1).start() : size;
      return new Extent.Absent(Math.min(length, end - offset));
    }
    Chunk chunk = chunks.get(number);
    long run = Math.min(length, chunk.end() - offset);
    return switch (chunk.kind()) {
      case ZERO -> new Extent.Zeroes(run);
      case RAW -> new Extent.Data(0, chunk.offset() + offset - chunk.start(), run);
      case ZLIB -> new Extent.Packed(run);
    };
  }

  @Override
  public void unpack(ImageIo io, long offset, MemorySegment target) throws ImageException {
    Chunk chunk = chunks.get(find(offset));
    units.copy(
        io.file(),
        chunk.offset(),
        chunk.stored(),
        (int) chunk.length(),
        offset - chunk.start(),
        target);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.bochs;

import dev.spindle.block.format.Extent;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.Image;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.MetadataCache;
import java.nio.ByteOrder;

/**
 * A growing redolog of Bochs ("Developers Guide", "Disk image formats"): a catalog of extents, each
 * behind a bitmap of the sectors that it holds.
 */
final class BochsImage extends Image {
  private static final int BYTES = 512;
  private static final long VERSION_1 = 0x0001_0000;
  private static final long VERSION_2 = 0x0002_0000;
  private static final long UNALLOCATED = 0xffff_ffffL;
  private static final int ENTRY = 4;
  private static final int BITS = 32;
  private static final long MOST_ENTRIES = 1 << 20;
  private static final long MOST_EXTENT = 1 << 30;

  private final long size;
  private final long catalog;
  private final long data;
  private final long bitmap;
  private final long extent;
  private final MetadataCache cache = new MetadataCache(ByteOrder.LITTLE_ENDIAN);

  private BochsImage(long size, long catalog, long data, long bitmap, long extent) {
    this.size = size;
    this.catalog = catalog;
    this.data = data;
    this.bitmap = bitmap;
    this.extent = extent;
  }

  static BochsImage open(ImageFile file) throws ImageException {
    Fields fields = file.read(0, BYTES, ByteOrder.LITTLE_ENDIAN);
    boolean growing =
        fields.text(0, 32).equals("Bochs Virtual HD Image")
            && fields.text(32, 16).equals("Redolog")
            && fields.text(48, 16).equals("Growing");
    if (!growing) {
      throw new ImageException(file.name() + " is not a growing disk image of Bochs");
    }
    long version = fields.u32(64);
    if (version != VERSION_1 && version != VERSION_2) {
      throw new ImageException(
          "%s: version 0x%x of Bochs' images is not supported".formatted(file.name(), version));
    }
    long header = fields.u32(68);
    long entries = fields.u32(72);
    long bitmap = (fields.u32(76) + 511) & -512;
    long extent = fields.u32(80);
    long size = fields.u64(version == VERSION_1 ? 84 : 88, "the size of " + file.name()) & -512;
    boolean possible =
        header >= BYTES
            && header % ENTRY == 0
            && entries <= MOST_ENTRIES
            && extent >= 512
            && extent <= MOST_EXTENT
            && Long.bitCount(extent) == 1
            && fields.u32(76) * 8 >= extent / 512
            && bitmap <= MOST_EXTENT
            && (size + extent - 1) / extent <= entries;
    if (!possible || header + entries * ENTRY > file.length()) {
      throw new ImageException(
          "%s: a catalog of %d extents of %d bytes does not fit a disk of %d"
              .formatted(file.name(), entries, extent, size));
    }
    return new BochsImage(size, header, header + entries * ENTRY, bitmap, extent);
  }

  @Override
  public long length() {
    return size;
  }

  @Override
  public String readOnlyReason() {
    return "Bochs' images are only read";
  }

  @Override
  public Extent map(ImageIo io, long offset, long length) throws ImageException {
    ImageFile file = io.file();
    long within = offset % extent;
    long most = Math.min(length, extent - within);
    long number = cache.u32(file, catalog + offset / extent * ENTRY);
    if (number == UNALLOCATED) {
      return new Extent.Absent(most);
    }
    long start = data + number * (bitmap + extent);
    boolean held = isHeld(file, start, within / 512);
    long run = 512 - within % 512;
    while (run < most && isHeld(file, start, (within + run) / 512) == held) {
      run += 512;
    }
    run = Math.min(run, most);
    return held ? new Extent.Data(0, start + bitmap + within, run) : new Extent.Absent(run);
  }

  private boolean isHeld(ImageFile file, long start, long sector) throws ImageException {
    // The table may begin anywhere, and the cache takes whole numbers of its own alignment.
    long at = start + sector / 8;
    long bits = cache.u32(file, at & -ENTRY);
    return (bits >>> ((at % ENTRY * 8 + sector % 8) % BITS) & 1) != 0;
  }
}

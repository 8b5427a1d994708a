// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.parallels;

import static dev.spindle.block.driver.parallels.ParallelsHeader.BYTES;
import static dev.spindle.block.driver.parallels.ParallelsHeader.ENTRY;

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

/** An open Parallels image: a table of clusters. */
final class ParallelsImage extends Image {
  /** Bytes of the table that are looked through at once. */
  private static final int SCAN = 64 << 10;

  /** Places for clusters in a file that is written: 16 MiB of memory are enough to look at them. */
  private static final long MOST_PLACES = 1 << 27;

  /** How far behind the end of the file there may be clusters that a crash has kept from it. */
  private static final long MOST_LOST = 1 << 30;

  private final ParallelsHeader header;
  private final MetadataCache table = new MetadataCache(ByteOrder.LITTLE_ENDIAN);

  /** What the header is to say of programs that use the image, once this one does not. */
  private boolean marked;

  /** Where the next cluster goes, in bytes. */
  private long free;

  ParallelsImage(ParallelsHeader header) {
    this.header = header;
  }

  @Override
  public long length() {
    return header.size();
  }

  @Override
  public String readOnlyReason() {
    return header.hasExtension() ? "it has an extension that a write would make wrong" : null;
  }

  @Override
  public long clusterSize() {
    return header.cluster();
  }

  @Override
  public Extent map(ImageIo io, long offset, long length) throws ImageException {
    long within = offset % header.cluster();
    long run = Math.min(header.cluster() - within, length);
    long entry = table.u32(io.file(), slot(offset));
    return entry == 0
        ? new Extent.Absent(run)
        : new Extent.Data(0, entry * header.unit() + within, run);
  }

  private long slot(long offset) {
    return BYTES + offset / header.cluster() * ENTRY;
  }

  @Override
  public void beginWrites(ImageIo io) throws ImageException {
    ImageFile file = io.file();
    if (header.inUse() == ParallelsHeader.IN_USE && !marked) {
      throw new ImageException(
          file.name() + " was not closed by who wrote it last: it can only be read");
    }
    BitSet used = new BitSet();
    free = header.data();
    long bytes = header.entries() * ENTRY;
    for (long done = 0; done < bytes; done += SCAN) {
      int piece = (int) Math.min(SCAN, bytes - done);
      Fields part = file.read(BYTES + done, piece, ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < piece; at += ENTRY) {
        if (part.u32(at) != 0) {
          note(file, used, part.u32(at) * header.unit());
        }
      }
    }
    free = roundedUp(Math.max(free, file.length()));
  }

  private void note(ImageFile file, BitSet used, long start) throws ImageException {
    long place = start / header.cluster();
    boolean far = place >= MOST_PLACES || start > file.length() + MOST_LOST;
    if (far || start < header.data() || used.get((int) place)) {
      throw new ImageException(
          "%s: the cluster at offset %d overlaps with something else: the image can only be read"
              .formatted(file.name(), start));
    }
    used.set((int) place);
    free = Math.max(free, start + header.cluster());
  }

  /** To what an entry can say. */
  private long roundedUp(long offset) {
    return (offset + header.unit() - 1) / header.unit() * header.unit();
  }

  /** Others are to know that the image is in use, until it is left as it should be. */
  @Override
  public void firstChange(ImageIo io) throws ImageException {
    mark(io, ParallelsHeader.IN_USE);
    io.file().flush();
    marked = true;
  }

  private static void mark(ImageIo io, long inUse) throws ImageException {
    Fields fields = io.file().read(0, BYTES, ByteOrder.LITTLE_ENDIAN);
    io.file().write(0, fields.put32(ParallelsHeader.AT_IN_USE, inUse));
  }

  @Override
  public boolean settle(ImageIo io) throws ImageException {
    io.file().flush();
    mark(io, 0);
    marked = false;
    return true;
  }

  @Override
  public NewCluster allocate(ImageIo io, long cluster) throws ImageException {
    long start = free;
    if (start / header.unit() > 0xffff_ffffL || start / header.cluster() >= MOST_PLACES) {
      throw new ImageException(io.file().name() + " is as large as a Parallels image can be");
    }
    io.file().resize(start + header.cluster());
    free = start + header.cluster();
    return new NewCluster(0, start, true);
  }

  @Override
  public void link(ImageIo io, long cluster, NewCluster where) throws ImageException {
    table.put32(io.file(), slot(cluster), where.offset() / header.unit());
  }
}

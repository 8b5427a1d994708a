// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.parallels;

import static dev.spindle.block.driver.parallels.ParallelsHeader.BYTES;
import static dev.spindle.block.driver.parallels.ParallelsHeader.ENTRY;

import dev.spindle.block.format.CheckTally;
import dev.spindle.block.format.EntryTable;
import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.format.ImageIo;
import dev.spindle.block.format.NewCluster;
import dev.spindle.block.format.TableImage;
import java.nio.ByteOrder;
import java.util.BitSet;

/** An open Parallels image: a table of clusters. */
final class ParallelsImage extends TableImage {
  /** Places for clusters in a file that is written: 16 MiB of memory are enough to look at them. */
  private static final long MOST_PLACES = 1 << 27;

  /** How far behind the end of the file there may be clusters that a crash has kept from it. */
  private static final long MOST_LOST = 1 << 30;

  private final ParallelsHeader header;
  private final EntryTable table;

  /** Whether the header says that the image is in use, as a crash leaves it. */
  private boolean unclean;

  /** Where the next cluster goes, in bytes. */
  private long free;

  /** What is left of a cluster's offset when it is divided by a cluster's size; alike for all. */
  private long phase;

  ParallelsImage(ParallelsHeader header) {
    this.header = header;
    this.table = new EntryTable(BYTES, header.entries(), ENTRY, ByteOrder.LITTLE_ENDIAN);
    this.unclean = header.inUse() == ParallelsHeader.IN_USE;
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
  protected long place(ImageFile file, long index) throws ImageException {
    long entry = table.get(file, index);
    return entry == 0 ? ABSENT : entry * header.unit();
  }

  /**
   * Looks where clusters are. That is enough for an image, too, that who wrote it last has not
   * closed: an entry is written after its cluster, and what else a crash leaves is room that
   * nothing leads to.
   */
  @Override
  public void beginWrites(ImageIo io) throws ImageException {
    ImageFile file = io.file();
    BitSet used = new BitSet();
    free = header.data();
    phase = countsSectors() ? header.data() % header.cluster() : 0;
    boolean[] any = new boolean[1];
    table.forEach(
        file,
        (index, entry) -> {
          if (entry != 0) {
            long start = entry * header.unit();
            if (!any[0] && countsSectors()) {
              phase = start % header.cluster();
            }
            any[0] = true;
            note(file, used, start);
          }
        });
    free = roundedUp(Math.max(free, file.length()));
  }

  /** The older kind of images: a cluster may begin at any sector. */
  private boolean countsSectors() {
    return header.unit() < header.cluster();
  }

  private void note(ImageFile file, BitSet used, long start) throws ImageException {
    long place = start / header.cluster();
    boolean far = place >= MOST_PLACES || start > file.length() + MOST_LOST;
    boolean aside = start % header.cluster() != phase;
    if (far || aside || start < header.data() || used.get((int) place)) {
      throw new ImageException(
          "%s: the cluster at offset %d overlaps with something else: the image can only be read"
              .formatted(file.name(), start));
    }
    used.set((int) place);
    free = Math.max(free, start + header.cluster());
  }

  /** To where a cluster may begin. */
  private long roundedUp(long offset) {
    return offset + Math.floorMod(phase - offset, header.cluster());
  }

  /** Repairs an image that was left in use, clusters that are not there, and room that is lost. */
  @Override
  public void check(ImageIo io, CheckTally tally) throws ImageException {
    ImageFile file = io.file();
    if (unclean && tally.error("image was not closed correctly")) {
      mark(io, 0);
      unclean = false;
    }
    Usage usage = new Usage();
    table.forEach(file, (index, entry) -> look(file, usage, index, entry * header.unit(), tally));
    long end = Math.max(usage.high, header.data());
    if (file.length() > end
        && tally.leak(
            (file.length() - end + header.cluster() - 1) / header.cluster(),
            "space leaked at the end of the image " + (file.length() - end))) {
      file.resize(end);
    }
    tally.usage(header.entries(), usage.allocated, usage.fragmented, end);
    if (tally.repairs()) {
      beginWrites(io);
    }
  }

  /** What a check has come across. */
  private static final class Usage {
    private final BitSet places = new BitSet();
    private long allocated;
    private long fragmented;

    /** Where the last cluster ends, and the one that was looked at before, in bytes. */
    private long high;

    private long before;
  }

  private void look(ImageFile file, Usage usage, long index, long start, CheckTally tally)
      throws ImageException {
    if (start == 0) {
      usage.before = 0;
      return;
    }
    long end = start + header.cluster();
    if (start > file.length() && tally.error("cluster " + index + " is outside image")) {
      table.put(file, index, 0);
      usage.before = 0;
      return;
    }
    long place = start / header.cluster();
    if (start < header.data() || (place < MOST_PLACES && usage.places.get((int) place))) {
      tally.lastingError("cluster %d at offset %d overlaps".formatted(index, start));
    }
    if (place < MOST_PLACES) {
      usage.places.set((int) place);
    }
    usage.allocated++;
    usage.fragmented += usage.before != 0 && usage.before != start ? 1 : 0;
    usage.before = end;
    usage.high = Math.max(usage.high, end);
  }

  /** Others are to know that the image is in use, until it is left as it should be. */
  @Override
  public void firstChange(ImageIo io) throws ImageException {
    mark(io, ParallelsHeader.IN_USE);
    io.file().flush();
  }

  private static void mark(ImageIo io, long inUse) throws ImageException {
    Fields fields = io.file().read(0, BYTES, ByteOrder.LITTLE_ENDIAN);
    io.file().write(0, fields.put32(ParallelsHeader.AT_IN_USE, inUse));
  }

  @Override
  public boolean settle(ImageIo io) throws ImageException {
    io.file().flush();
    mark(io, 0);
    unclean = false;
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
    table.put(io.file(), cluster / header.cluster(), where.offset() / header.unit());
  }
}

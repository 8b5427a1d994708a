// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.dmg;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the property list of an image says: tables of chunks, in Base 64.
 *
 * @param size of the disk in bytes
 * @param chunks in the order of the disk, none overlapping with another
 */
record DmgTables(long size, List<Chunk> chunks) {
  private static final int TRAILER = 512;
  private static final int MOST_LIST = 8 << 20;
  private static final int TABLE = 204;
  private static final int RUN = 40;
  private static final long MOST_SECTORS = 1L << 40;

  /** What is unpacked in one piece, at most; programs make pieces of 1 MiB. */
  static final long MOST_PACKED = 8 << 20;

  private static final Pattern DATA = Pattern.compile("<data>([^<]*)</data>");

  /** How a chunk is held. */
  enum Kind {
    ZERO,
    RAW,
    ZLIB
  }

  /**
   * A part of the disk.
   *
   * @param start in the disk, in bytes
   * @param length there, in bytes
   * @param offset in the file, in bytes
   * @param stored there, in bytes
   */
  record Chunk(Kind kind, long start, long length, long offset, long stored) {
    long end() {
      return start + length;
    }
  }

  static DmgTables read(ImageFile file) throws ImageException {
    if (file.length() < TRAILER) {
      throw new ImageException(file.name() + " is too short for a disk image of Apple's");
    }
    Fields trailer = trailer(file);
    long dataFork = trailer.u64(0x18, "the offset of the data in " + file.name());
    long listOffset = trailer.u64(0xd8, "the offset of the property list in " + file.name());
    long listBytes = trailer.u64(0xe0, "the length of the property list in " + file.name());
    long sectors = trailer.u64(0x1ec, "the number of sectors in " + file.name());
    if (listBytes == 0 || listBytes > MOST_LIST || sectors > MOST_SECTORS) {
      throw new ImageException(
          "%s: a property list of %d bytes for %d sectors is not supported"
              .formatted(file.name(), listBytes, sectors));
    }
    Fields list = file.read(listOffset, (int) listBytes, ByteOrder.BIG_ENDIAN);
    String text = new String(list.bytes(0, (int) listBytes), ISO_8859_1);
    List<Chunk> chunks = new ArrayList<>();
    Matcher table = DATA.matcher(blocks(file, text));
    while (table.find()) {
      addTable(file, chunks, decoded(file, table.group(1)), dataFork);
    }
    return new DmgTables(sectors * 512, List.copyOf(chunks)).checked(file);
  }

  /** The file's last 512 bytes, wherever in the last sector those end. */
  private static Fields trailer(ImageFile file) throws ImageException {
    Fields end =
        file.read(
            Math.max(0, file.length() - 2 * TRAILER),
            (int) Math.min(2 * TRAILER, file.length()),
            ByteOrder.BIG_ENDIAN);
    for (int at = end.size() - TRAILER; at >= 0; at--) {
      if (end.text(at, 4).equals("koly")) {
        return end.part(at, TRAILER);
      }
    }
    throw new ImageException(file.name() + " is not a disk image of Apple's: it ends as none");
  }

  /** What is listed of the disk itself, not of its partitions' names and the like. */
  private static String blocks(ImageFile file, String text) throws ImageException {
    int start = text.indexOf("<key>blkx</key>");
    int end = start < 0 ? -1 : text.indexOf("</array>", start);
    if (end < 0) {
      throw new ImageException(file.name() + ": the property list has no tables of blocks");
    }
    return text.substring(start, end);
  }

  private static Fields decoded(ImageFile file, String text) throws ImageException {
    try {
      byte[] bytes = Base64.getMimeDecoder().decode(text);
      return Fields.zeroes(Math.max(1, bytes.length), ByteOrder.BIG_ENDIAN).put(0, bytes);
    } catch (IllegalArgumentException e) {
      throw new ImageException(file.name() + ": a table of blocks is not in Base 64");
    }
  }

  private static void addTable(ImageFile file, List<Chunk> chunks, Fields table, long dataFork)
      throws ImageException {
    if (table.size() < TABLE || !table.text(0, 4).equals("mish")) {
      throw new ImageException(file.name() + ": there is something else than a table of blocks");
    }
    long first = table.u64(8, "the first sector of a table in " + file.name());
    long count = table.u32(200);
    if (first > MOST_SECTORS || count > (table.size() - TABLE) / RUN) {
      throw new ImageException(
          "%s: a table of %d bytes cannot have %d blocks"
              .formatted(file.name(), table.size(), count));
    }
    for (int i = 0; i < count; i++) {
      add(file, chunks, table.part(TABLE + i * RUN, RUN), first, dataFork);
    }
  }

  private static void add(ImageFile file, List<Chunk> chunks, Fields run, long first, long dataFork)
      throws ImageException {
    Kind kind;
    switch ((int) run.u32(0)) {
      case 0, 2 -> kind = Kind.ZERO;
      case 1 -> kind = Kind.RAW;
      case 0x8000_0005 -> kind = Kind.ZLIB;
      // A comment, and the end of the table.
      case 0x7fff_fffe, 0xffff_ffff -> {
        return;
      }
      default ->
          throw new ImageException(
              "%s: blocks of kind 0x%x are not supported".formatted(file.name(), run.u32(0)));
    }
    long sector = run.u64(8, "a block's place in " + file.name());
    long sectors = run.u64(16, "a block's length in " + file.name());
    long offset = run.u64(24, "a block's offset in " + file.name());
    long stored = run.u64(32, "a block's stored length in " + file.name());
    boolean possible =
        sector <= MOST_SECTORS
            && sectors <= MOST_SECTORS
            && dataFork <= file.length()
            && offset <= file.length() - dataFork
            && (kind == Kind.ZERO || stored <= file.length() - dataFork - offset)
            && (kind != Kind.RAW || stored == sectors * 512)
            && (kind != Kind.ZLIB || (sectors * 512 <= MOST_PACKED && stored <= 2 * MOST_PACKED));
    if (!possible) {
      throw new ImageException(
          "%s: %d sectors of the disk cannot be %d bytes at offset %d of the file"
              .formatted(file.name(), sectors, stored, dataFork + offset));
    }
    if (sectors > 0) {
      chunks.add(new Chunk(kind, (first + sector) * 512, sectors * 512, dataFork + offset, stored));
    }
  }

  private DmgTables checked(ImageFile file) throws ImageException {
    List<Chunk> sorted = new ArrayList<>(chunks);
    sorted.sort(Comparator.comparingLong(Chunk::start));
    long end = 0;
    for (Chunk chunk : sorted) {
      if (chunk.start() < end || chunk.end() > size) {
        throw new ImageException(
            "%s: the block at %d of the disk overlaps with another, or is beyond the disk's end"
                .formatted(file.name(), chunk.start()));
      }
      end = chunk.end();
    }
    return new DmgTables(size, List.copyOf(sorted));
  }
}

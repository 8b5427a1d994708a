// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vhdx;

import dev.spindle.block.format.Fields;
import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * The log of a VHDX image (MS-VHDX 2.3): changes to metadata that somebody wrote there, and perhaps
 * nowhere else before he stopped. Control side, before the image has users.
 */
final class VhdxLog {
  private static final int SECTOR = 4096;
  private static final int ENTRY_HEADER = 64;
  private static final int DESCRIPTOR = 32;

  /** Entries may be found inside of others: more than this many times the log is not read. */
  private static final int MOST_READS = 2;

  private final ImageFile file;
  private final long offset;
  private final long length;
  private final UUID guid;

  /** Valid entries by where they begin in the log. */
  private final Map<Long, Entry> entries = new HashMap<>();

  private VhdxLog(ImageFile file, VhdxHeader header) {
    this.file = file;
    this.offset = header.logOffset();
    this.length = header.logLength();
    this.guid = header.logGuid();
  }

  /**
   * A valid entry.
   *
   * @param start where it begins in the log
   * @param bytes how long it is
   * @param tail where the oldest entry begins that still counts
   */
  private record Entry(long start, long bytes, long tail, long sequence, Fields fields) {
    long flushedLength() {
      return fields.bits64(48);
    }

    long lastLength() {
      return fields.bits64(56);
    }
  }

  /**
   * Carries out what the log says.
   *
   * @return the header that is current then, which has an empty log
   * @throws ImageException if there is nothing valid in the log, or it does not fit the file
   */
  static VhdxHeader replay(ImageFile file, VhdxHeader header) throws ImageException {
    VhdxLog log = new VhdxLog(file, header);
    log.find();
    List<Entry> sequence = log.activeSequence();
    if (sequence.isEmpty()) {
      throw new ImageException(file.name() + ": the log is not empty, but nothing in it is valid");
    }
    Entry head = sequence.getLast();
    if (head.flushedLength() < 0 || head.flushedLength() > file.length()) {
      throw new ImageException(
          "%s has been cut off: it had %d bytes when its log was written"
              .formatted(file.name(), head.flushedLength()));
    }
    for (Entry entry : sequence) {
      log.checkDescriptors(entry, head.lastLength());
    }
    for (Entry entry : sequence) {
      log.apply(entry);
    }
    if (head.lastLength() > file.length()) {
      file.resize(head.lastLength());
    }
    return header.withEmptyLog(file);
  }

  private void find() throws ImageException {
    long budget = MOST_READS * length;
    for (long start = 0; start < length; start += SECTOR) {
      Fields header = file.read(offset + start, ENTRY_HEADER, ByteOrder.LITTLE_ENDIAN);
      long bytes = header.u32(8);
      long tail = header.u32(12);
      boolean possible =
          header.text(0, 4).equals("loge")
              && VhdxGuid.read(header, 32).equals(guid)
              && bytes % SECTOR == 0
              && bytes > 0
              && bytes <= Math.min(length, ImageFile.MOST_METADATA)
              && tail % SECTOR == 0
              && tail < length
              && header.bits64(16) > 0;
      if (possible) {
        budget -= bytes;
        if (budget < 0) {
          throw new ImageException(file.name() + ": the entries of the log overlap");
        }
        Fields fields = read(start, (int) bytes);
        if (fields.u32(4) == VhdxHeader.checksum(fields) && isWhole(fields)) {
          entries.put(start, new Entry(start, bytes, tail, fields.bits64(16), fields));
        }
      }
    }
  }

  /** Reads from the log, which begins again where it ends. */
  private Fields read(long start, int bytes) throws ImageException {
    Fields fields = Fields.zeroes(bytes, ByteOrder.LITTLE_ENDIAN);
    long first = Math.min(bytes, length - start);
    file.read(offset + start, fields.memory().asSlice(0, first));
    file.read(offset, fields.memory().asSlice(first));
    return fields;
  }

  /** Whether each descriptor is one, and all sectors of data are there, from one writing. */
  private static boolean isWhole(Fields entry) {
    long count = entry.u32(24);
    long sequence = entry.bits64(16);
    long data = dataStart(count);
    if (data > entry.size()) {
      return false;
    }
    for (int i = 0; i < count; i++) {
      Fields descriptor = entry.part(ENTRY_HEADER + i * DESCRIPTOR, DESCRIPTOR);
      String kind = descriptor.text(0, 4);
      if (descriptor.bits64(24) != sequence) {
        return false;
      }
      if (kind.equals("desc")) {
        if (data + SECTOR > entry.size()) {
          return false;
        }
        Fields sector = entry.part((int) data, SECTOR);
        boolean matches =
            sector.text(0, 4).equals("data")
                && sector.u32(4) == sequence >>> 32
                && sector.u32(SECTOR - 4) == (sequence & 0xffff_ffffL);
        if (!matches) {
          return false;
        }
        data += SECTOR;
      } else if (!kind.equals("zero")) {
        return false;
      }
    }
    return true;
  }

  private static long dataStart(long descriptors) {
    return (ENTRY_HEADER + descriptors * DESCRIPTOR + SECTOR - 1) & -SECTOR;
  }

  /** The entries that count, oldest first (MS-VHDX 2.3.2, "Log Sequence"). */
  private List<Entry> activeSequence() {
    List<Entry> best = List.of();
    for (Entry first : entries.values()) {
      if (!follows(first)) {
        List<Entry> run = runFrom(first);
        while (!run.isEmpty()) {
          long tail = run.getLast().tail();
          int oldest = indexOf(run, tail);
          if (oldest >= 0) {
            run = run.subList(oldest, run.size());
            break;
          }
          // Its oldest entry is gone: it can be an earlier one that counts.
          run = run.subList(0, run.size() - 1);
        }
        if (!run.isEmpty()
            && (best.isEmpty() || run.getLast().sequence() > best.getLast().sequence())) {
          best = List.copyOf(run);
        }
      }
    }
    return best;
  }

  private static int indexOf(List<Entry> run, long start) {
    for (int i = 0; i < run.size(); i++) {
      if (run.get(i).start() == start) {
        return i;
      }
    }
    return -1;
  }

  /** Whether an entry comes right behind another one. */
  private boolean follows(Entry entry) {
    return entries.values().stream()
        .anyMatch(
            other ->
                (other.start() + other.bytes()) % length == entry.start()
                    && other.sequence() + 1 == entry.sequence());
  }

  private List<Entry> runFrom(Entry first) {
    List<Entry> run = new ArrayList<>();
    Entry next = first;
    while (next != null && (run.isEmpty() || next.sequence() == run.getLast().sequence() + 1)) {
      run.add(next);
      next = entries.get((next.start() + next.bytes()) % length);
    }
    return run;
  }

  /** Nothing is changed before all of it is known to be possible. */
  private void checkDescriptors(Entry entry, long end) throws ImageException {
    for (int i = 0; i < entry.fields().u32(24); i++) {
      Fields descriptor = entry.fields().part(ENTRY_HEADER + i * DESCRIPTOR, DESCRIPTOR);
      boolean zero = descriptor.text(0, 4).equals("zero");
      long bytes = zero ? descriptor.bits64(8) : SECTOR;
      long target = descriptor.bits64(16);
      boolean possible = target >= 0 && bytes >= 0 && target % SECTOR == 0 && bytes % SECTOR == 0;
      if (!possible || target > end - bytes || overlapsLog(target, bytes)) {
        throw new ImageException(
            "%s: the log is to write %d bytes at offset %d, which cannot be"
                .formatted(file.name(), bytes, target));
      }
    }
  }

  private boolean overlapsLog(long target, long bytes) {
    boolean headers = target < 192 << 10;
    return headers || (target < offset + length && offset < target + bytes);
  }

  private void apply(Entry entry) throws ImageException {
    long count = entry.fields().u32(24);
    long data = dataStart(count);
    for (int i = 0; i < count; i++) {
      Fields descriptor = entry.fields().part(ENTRY_HEADER + i * DESCRIPTOR, DESCRIPTOR);
      long target = descriptor.bits64(16);
      if (descriptor.text(0, 4).equals("zero")) {
        // What is past the end will be zeroes by itself.
        long inside = Math.clamp(file.length() - target, 0, descriptor.bits64(8));
        file.zero(target, inside, false, false);
      } else {
        // Eight bytes at the beginning and four at the end are kept in the descriptor.
        Fields sector = Fields.zeroes(SECTOR, ByteOrder.LITTLE_ENDIAN);
        sector.put(0, entry.fields().bytes((int) data, SECTOR));
        sector.put64(0, descriptor.bits64(8)).put32(SECTOR - 4, descriptor.u32(4));
        file.write(target, sector);
        data += SECTOR;
      }
    }
  }
}

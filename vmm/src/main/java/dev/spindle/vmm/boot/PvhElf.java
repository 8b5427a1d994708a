// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A 64-bit x86 ELF kernel entered in 32-bit protected mode through Xen's PVH boot ABI (Xen,
 * docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h).
 */
final class PvhElf implements Kernel {
  private static final int ELF_MAGIC = 0x464C_457F;
  private static final int CLASS_64_LITTLE_ENDIAN = 0x0102;
  private static final int MACHINE_X86_64 = 62;
  private static final int ELF_HEADER_SIZE = 64;
  private static final int PROGRAM_HEADER_SIZE = 56;
  private static final int SEGMENT_LOAD = 1;
  private static final int SEGMENT_NOTE = 4;
  private static final int NOTE_PHYS32_ENTRY = 18;
  private static final int LONGEST_NOTES = 1 << 16;

  private static final int START_INFO_MAGIC = 0x336E_C578;
  private static final int START_INFO_SIZE = 56;
  private static final int MODULE_SIZE = 32;
  private static final int MAP_ENTRY_SIZE = 24;

  private static final ValueLayout.OfInt LE32 = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG_UNALIGNED;

  private final ImageFile file;
  private final List<Segment> segments;
  private final long entry;

  private record Segment(long fileOffset, long address, long fileSize, long memorySize) {
    long end() {
      return address + memorySize;
    }
  }

  private PvhElf(ImageFile file, List<Segment> segments, long entry) {
    this.file = file;
    this.segments = List.copyOf(segments);
    this.entry = entry;
  }

  static boolean recognises(ByteBuffer head) {
    return head.limit() >= ELF_HEADER_SIZE && head.getInt(0) == ELF_MAGIC;
  }

  static PvhElf parse(ImageFile file, ByteBuffer head) throws IOException {
    if (head.getShort(4) != CLASS_64_LITTLE_ENDIAN || head.getShort(18) != MACHINE_X86_64) {
      throw file.problem("is an ELF file, but not one for x86-64");
    }
    int count = Short.toUnsignedInt(head.getShort(56));
    if (Short.toUnsignedInt(head.getShort(54)) != PROGRAM_HEADER_SIZE) {
      throw file.problem("has ELF program headers of an unknown size");
    }
    ByteBuffer table = part(file, head.getLong(32), (long) count * PROGRAM_HEADER_SIZE);
    List<Segment> segments = new ArrayList<>();
    long entry = -1;
    for (int base = 0; base < table.limit(); base += PROGRAM_HEADER_SIZE) {
      long offset = table.getLong(base + 8);
      long fileSize = table.getLong(base + 32);
      switch (table.getInt(base)) {
        case SEGMENT_LOAD -> segments.add(loadSegment(file, table, base));
        case SEGMENT_NOTE -> {
          long found = findEntry(part(file, offset, Math.min(fileSize, LONGEST_NOTES)));
          entry = found >= 0 ? found : entry;
        }
        default -> {}
      }
    }
    if (entry < 0 || segments.isEmpty()) {
      throw file.problem("is an ELF file without a PVH entry (Xen note PHYS32_ENTRY)");
    }
    return new PvhElf(file, segments, entry);
  }

  @Override
  public int commandLineLimit() {
    return LowMemory.COMMAND_LINE_SPACE - 1;
  }

  @Override
  public Placement place(BootMemory memory) throws BootException {
    long base = segments.stream().mapToLong(Segment::address).min().orElseThrow();
    long end = segments.stream().mapToLong(Segment::end).max().orElseThrow();
    if (base < LowMemory.HIGH) {
      throw file.problem("wants to be loaded below 1 MiB, where boot data lies");
    }
    if (end > memory.lowEnd()) {
      throw file.problem(
          "needs memory up to "
              + Sizes.mebibytes(end)
              + ", but the machine has "
              + Sizes.mebibytes(memory.lowEnd()));
    }
    return new Placement(base, end, memory.lowEnd());
  }

  @Override
  public EntryState load(BootMemory memory, Placement placement, BootInformation information)
      throws IOException {
    for (Segment segment : segments) {
      MemorySegment target = memory.slice(segment.address(), segment.memorySize());
      file.load(segment.fileOffset(), target.asSlice(0, segment.fileSize()));
      target.asSlice(segment.fileSize()).fill((byte) 0);
    }
    writeStartInfo(memory, information);
    BootDescriptors.write(memory.slice(LowMemory.DESCRIPTORS, BootDescriptors.SIZE), false);
    return new EntryState.Protected32(entry, LowMemory.START_INFO, LowMemory.DESCRIPTORS);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  /** The start info, followed by the list of its one module and the address map. */
  private static void writeStartInfo(BootMemory memory, BootInformation information) {
    List<AddressMap.Entry> entries = information.map().entries();
    boolean hasInitrd = information.initrdLength() > 0;
    long moduleAddress = LowMemory.START_INFO + START_INFO_SIZE;
    long mapAddress = moduleAddress + MODULE_SIZE;
    long size = START_INFO_SIZE + MODULE_SIZE + (long) entries.size() * MAP_ENTRY_SIZE;

    MemorySegment info = memory.slice(LowMemory.START_INFO, size).fill((byte) 0);
    info.set(LE32, 0, START_INFO_MAGIC);
    info.set(LE32, 4, 1);
    info.set(LE32, 12, hasInitrd ? 1 : 0);
    info.set(LE64, 16, hasInitrd ? moduleAddress : 0);
    info.set(LE64, 24, LowMemory.COMMAND_LINE);
    info.set(LE64, 32, information.rootPointer());
    info.set(LE64, 40, mapAddress);
    info.set(LE32, 48, entries.size());
    info.set(LE64, START_INFO_SIZE, information.initrdBase());
    info.set(LE64, START_INFO_SIZE + 8, information.initrdLength());
    long offset = START_INFO_SIZE + MODULE_SIZE;
    for (AddressMap.Entry entry : entries) {
      info.set(LE64, offset, entry.base());
      info.set(LE64, offset + 8, entry.length());
      info.set(LE32, offset + 16, entry.type());
      offset += MAP_ENTRY_SIZE;
    }
  }

  private static Segment loadSegment(ImageFile file, ByteBuffer table, int base)
      throws BootException {
    Segment segment =
        new Segment(
            table.getLong(base + 8),
            table.getLong(base + 24),
            table.getLong(base + 32),
            table.getLong(base + 40));
    // 4 GiB bounds keep every sum below from overflowing; a kernel lies below 4 GiB anyway.
    boolean sane =
        isBelow4G(segment.fileOffset())
            && isBelow4G(segment.address())
            && isBelow4G(segment.memorySize())
            && segment.fileSize() >= 0
            && segment.fileSize() <= segment.memorySize();
    if (!sane) {
      throw file.problem("has an ELF segment with impossible addresses or sizes");
    }
    if (segment.fileOffset() + segment.fileSize() > file.size()) {
      throw file.problem("ends before the code its header announces");
    }
    return segment;
  }

  /** Returns the entry address from a note segment, or -1 if it is not there. */
  private static long findEntry(ByteBuffer notes) {
    int position = 0;
    while (position + 12 <= notes.limit()) {
      long nameSize = Integer.toUnsignedLong(notes.getInt(position));
      long dataSize = Integer.toUnsignedLong(notes.getInt(position + 4));
      int type = notes.getInt(position + 8);
      long data = position + 12 + aligned(nameSize);
      long next = data + aligned(dataSize);
      if (next > notes.limit()) {
        return -1;
      }
      boolean xen = nameSize == 4 && notes.getInt(position + 12) == 0x006E_6558;
      if (xen && type == NOTE_PHYS32_ENTRY && dataSize >= 4) {
        return Integer.toUnsignedLong(notes.getInt((int) data));
      }
      position = (int) next;
    }
    return -1;
  }

  private static ByteBuffer part(ImageFile file, long offset, long length) throws IOException {
    if (offset < 0 || length < 0 || offset > file.size() || length > file.size() - offset) {
      throw file.problem("ends before the headers it announces");
    }
    return file.head(offset, (int) length);
  }

  private static long aligned(long size) {
    return (size + 3) & ~3L;
  }

  private static boolean isBelow4G(long value) {
    return value >= 0 && value < 1L << 32;
  }
}

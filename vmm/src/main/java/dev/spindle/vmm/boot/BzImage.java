// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A Linux bzImage entered at its 64-bit entry point (Linux, Documentation/arch/x86/boot.rst).
 * Offsets are those of the setup header in the file, which are also those in the zero page.
 */
final class BzImage implements Kernel {
  private static final int SETUP_SECTORS = 0x1F1;
  private static final int BOOT_FLAG = 0x1FE;
  private static final int HEADER_JUMP_LENGTH = 0x201;
  private static final int HEADER_MAGIC = 0x202;
  private static final int VERSION = 0x206;
  private static final int LOADER_TYPE = 0x210;
  private static final int RAMDISK_IMAGE = 0x218;
  private static final int RAMDISK_SIZE = 0x21C;
  private static final int COMMAND_LINE_POINTER = 0x228;
  private static final int INITRD_ADDRESS_MAX = 0x22C;
  private static final int KERNEL_ALIGNMENT = 0x230;
  private static final int RELOCATABLE = 0x234;
  private static final int EXTENDED_LOAD_FLAGS = 0x236;
  private static final int COMMAND_LINE_SIZE = 0x238;
  private static final int PREFERRED_ADDRESS = 0x258;
  private static final int INIT_SIZE = 0x260;
  private static final int MINIMUM_HEAD = 0x264;

  private static final int ZERO_PAGE_ROOT_POINTER = 0x070;
  private static final int ZERO_PAGE_E820_COUNT = 0x1E8;
  private static final int ZERO_PAGE_E820_TABLE = 0x2D0;
  private static final int ZERO_PAGE_SIZE = 4096;
  private static final int E820_ENTRY_SIZE = 20;

  private static final int HDRS = 0x5372_6448;
  private static final int VERSION_2_12 = 0x020C;
  private static final int HAS_64_BIT_ENTRY = 1;
  private static final int UNREGISTERED_LOADER = 0xFF;
  private static final int ENTRY_64_OFFSET = 0x200;

  private static final ValueLayout.OfInt LE32 = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG_UNALIGNED;

  private final ImageFile file;
  private final ByteBuffer head;
  private final long payloadOffset;

  private BzImage(ImageFile file, ByteBuffer head, long payloadOffset) {
    this.file = file;
    this.head = head;
    this.payloadOffset = payloadOffset;
  }

  static boolean recognises(ByteBuffer head) {
    return head.limit() >= MINIMUM_HEAD
        && head.getShort(BOOT_FLAG) == (short) 0xAA55
        && head.getInt(HEADER_MAGIC) == HDRS;
  }

  static BzImage parse(ImageFile file, ByteBuffer head) throws BootException {
    int version = Short.toUnsignedInt(head.getShort(VERSION));
    if (version < VERSION_2_12 || (head.getShort(EXTENDED_LOAD_FLAGS) & HAS_64_BIT_ENTRY) == 0) {
      throw file.problem("is a bzImage without a 64-bit entry");
    }
    int sectors = Byte.toUnsignedInt(head.get(SETUP_SECTORS));
    long payload = (sectors == 0 ? 4 : sectors) * 512L + 512;
    if (file.size() <= payload) {
      throw file.problem("ends before the code its header announces");
    }
    int alignment = head.getInt(KERNEL_ALIGNMENT);
    if (alignment <= 0 || Integer.bitCount(alignment) != 1) {
      throw file.problem("has a header with an alignment that is not a power of two");
    }
    return new BzImage(file, head, payload);
  }

  @Override
  public int commandLineLimit() {
    return head.getInt(COMMAND_LINE_SIZE);
  }

  @Override
  public Placement place(BootMemory memory) throws BootException {
    long needed = Math.max(initSize(), file.size() - payloadOffset);
    long preferred = head.getLong(PREFERRED_ADDRESS);
    long base = preferred;
    if (!fits(memory, base, needed) && head.get(RELOCATABLE) != 0) {
      long alignment = head.getInt(KERNEL_ALIGNMENT);
      base = Math.max(LowMemory.HIGH, alignment);
    }
    if (!fits(memory, base, needed)) {
      throw file.problem(
          "needs memory up to "
              + Sizes.mebibytes(base + needed)
              + ", but the machine has "
              + Sizes.mebibytes(memory.lowEnd()));
    }
    long limit = Integer.toUnsignedLong(head.getInt(INITRD_ADDRESS_MAX)) + 1;
    return new Placement(base, base + needed, Math.min(limit, memory.lowEnd()));
  }

  @Override
  public EntryState load(BootMemory memory, Placement placement, BootInformation information)
      throws IOException {
    long length = file.size() - payloadOffset;
    file.load(payloadOffset, memory.slice(placement.base(), length));
    writeZeroPage(memory.slice(LowMemory.ZERO_PAGE, ZERO_PAGE_SIZE), information);
    PageTables.write(memory.slice(LowMemory.PAGE_TABLES, PageTables.SIZE), LowMemory.PAGE_TABLES);
    BootDescriptors.write(memory.slice(LowMemory.DESCRIPTORS, BootDescriptors.SIZE), true);
    return new EntryState.Long64(
        placement.base() + ENTRY_64_OFFSET,
        LowMemory.ZERO_PAGE,
        LowMemory.STACK_TOP,
        LowMemory.PAGE_TABLES,
        LowMemory.DESCRIPTORS);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  private void writeZeroPage(MemorySegment page, BootInformation information) {
    page.fill((byte) 0);
    int headerEnd = HEADER_MAGIC + Byte.toUnsignedInt(head.get(HEADER_JUMP_LENGTH));
    MemorySegment.copy(
        MemorySegment.ofBuffer(head),
        SETUP_SECTORS,
        page,
        SETUP_SECTORS,
        headerEnd - SETUP_SECTORS);
    page.set(ValueLayout.JAVA_BYTE, LOADER_TYPE, (byte) UNREGISTERED_LOADER);
    page.set(LE32, COMMAND_LINE_POINTER, (int) LowMemory.COMMAND_LINE);
    page.set(LE32, RAMDISK_IMAGE, (int) information.initrdBase());
    page.set(LE32, RAMDISK_SIZE, (int) information.initrdLength());
    page.set(LE64, ZERO_PAGE_ROOT_POINTER, information.rootPointer());

    List<AddressMap.Entry> entries = information.map().entries();
    page.set(ValueLayout.JAVA_BYTE, ZERO_PAGE_E820_COUNT, (byte) entries.size());
    long offset = ZERO_PAGE_E820_TABLE;
    for (AddressMap.Entry entry : entries) {
      page.set(LE64, offset, entry.base());
      page.set(LE64, offset + 8, entry.length());
      page.set(LE32, offset + 16, entry.type());
      offset += E820_ENTRY_SIZE;
    }
  }

  private long initSize() {
    return Integer.toUnsignedLong(head.getInt(INIT_SIZE));
  }

  private static boolean fits(BootMemory memory, long base, long length) {
    return base >= LowMemory.HIGH && base <= memory.lowEnd() && length <= memory.lowEnd() - base;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Kernel files made by hand, small but for their real layout. */
final class SampleKernels {
  static final int PAYLOAD_OFFSET = 1024;
  static final int PAYLOAD_LENGTH = 2048;
  static final int PREFERRED_ADDRESS = 16 << 20;
  static final int INIT_SIZE = 8 << 20;
  static final int ELF_ENTRY = 0x20_0010;

  private SampleKernels() {}

  /** A bzImage of protocol 2.15 with a 64-bit entry, one setup sector and a patterned payload. */
  static ByteBuffer bzImage() {
    ByteBuffer file = littleEndian(PAYLOAD_OFFSET + PAYLOAD_LENGTH);
    file.put(0x1EF, (byte) 0xFF); // The sentinel, which must not reach the zero page.
    file.put(0x1F1, (byte) 1);
    file.putShort(0x1FE, (short) 0xAA55);
    file.put(0x201, (byte) (0x26C - 0x202));
    file.putInt(0x202, 0x5372_6448);
    file.putShort(0x206, (short) 0x020F);
    file.put(0x211, (byte) 1);
    file.putInt(0x22C, 0x7FFF_FFFF);
    file.putInt(0x230, 2 << 20);
    file.put(0x234, (byte) 1);
    file.putShort(0x236, (short) 1);
    file.putInt(0x238, 2047);
    file.putLong(0x258, PREFERRED_ADDRESS);
    file.putInt(0x260, INIT_SIZE);
    for (int i = 0; i < PAYLOAD_LENGTH; i++) {
      file.put(PAYLOAD_OFFSET + i, pattern(i));
    }
    return file;
  }

  /** An x86-64 ELF file with one loaded segment at 2 MiB and the Xen note of a PVH entry. */
  static ByteBuffer pvhElf() {
    ByteBuffer file = littleEndian(0x1000 + 512);
    file.putInt(0, 0x464C_457F).putShort(4, (short) 0x0102).put(6, (byte) 1);
    file.putShort(16, (short) 2).putShort(18, (short) 62).putInt(20, 1);
    file.putLong(24, ELF_ENTRY).putLong(32, 64);
    file.putShort(52, (short) 64).putShort(54, (short) 56).putShort(56, (short) 2);
    programHeader(file, 64, 1, 0x1000, 0x20_0000, 512, 4096);
    programHeader(file, 120, 4, 0x200, 0, 0x2C, 0x2C);
    // A note of another owner first, then Xen's.
    file.putInt(0x200, 4).putInt(0x204, 4).putInt(0x208, 1).putInt(0x20C, 0x0055_4E47);
    file.putInt(0x214, 4).putInt(0x218, 8).putInt(0x21C, 18).putInt(0x220, 0x006E_6558);
    file.putLong(0x224, ELF_ENTRY);
    for (int i = 0; i < 512; i++) {
      file.put(0x1000 + i, pattern(i));
    }
    return file;
  }

  static byte pattern(int index) {
    return (byte) (index * 31 + 7);
  }

  private static void programHeader(
      ByteBuffer file, int at, int type, long offset, long address, long fileSize, long size) {
    file.putInt(at, type).putLong(at + 8, offset);
    file.putLong(at + 16, address).putLong(at + 24, address);
    file.putLong(at + 32, fileSize).putLong(at + 40, size).putLong(at + 48, 4096);
  }

  private static ByteBuffer littleEndian(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }
}

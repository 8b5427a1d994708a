// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** Assembles 32-bit guests of a few instructions, as ELF kernels with a PVH entry. */
public final class Code32 {
  /** Where the code lies. */
  public static final int BASE = 0x20_0000;

  /** Memory that nothing is loaded to, so that it survives a reset. */
  public static final int SCRATCH = 0x30_0000;

  public static final int COM1 = 0x3F8;
  private static final int PM1A_CONTROL = 0x604;
  private static final int SLEEP_S5 = 5 << 10 | 1 << 13;

  private final ByteArrayOutputStream code = new ByteArrayOutputStream();

  /** Instructions given as their bytes. */
  public Code32 bytes(int... instruction) {
    for (int b : instruction) {
      code.write(b);
    }
    return this;
  }

  private Code32 imm32(int value) {
    return bytes(value, value >> 8, value >> 16, value >> 24);
  }

  /** {@code mov dx, port; mov al, value; out dx, al}. */
  public Code32 outByte(int port, int value) {
    return bytes(0x66, 0xBA, port, port >> 8, 0xB0, value, 0xEE);
  }

  /** {@code mov eax, [address]}. */
  public Code32 loadEax(int address) {
    return bytes(0xA1).imm32(address);
  }

  /** {@code mov eax, value}. */
  public Code32 setEax(int value) {
    return bytes(0xB8).imm32(value);
  }

  /** {@code mov [address], eax}. */
  public Code32 storeEax(int address) {
    return bytes(0xA3).imm32(address);
  }

  /** {@code inc dword [address]}. */
  public Code32 increment(int address) {
    return bytes(0xFF, 0x05).imm32(address);
  }

  /** Writes EAX to COM1, lowest byte first. */
  public Code32 outEax() {
    bytes(0x66, 0xBA, COM1, COM1 >> 8);
    for (int i = 0; i < 4; i++) {
      bytes(0xEE, 0xC1, 0xE8, 8); // out dx, al; shr eax, 8
    }
    return this;
  }

  /** {@code rep outsb} of the text, which follows the instructions. */
  public Code32 outString(int port, String text) {
    int textAt = BASE + code.size() + 5 + 5 + 4 + 1 + 2 + 2;
    bytes(0xBE).imm32(textAt); // mov esi, text
    bytes(0xB9).imm32(text.length()); // mov ecx, length
    bytes(0x66, 0xBA, port, port >> 8, 0xFC, 0xF3, 0x6E); // mov dx, port; cld; rep outsb
    bytes(0xEB, text.length()); // jmp over the text
    text.chars().forEach(code::write);
    return this;
  }

  /** {@code jmp} back to the first instruction. */
  public Code32 again() {
    int distance = -(code.size() + 5);
    return bytes(0xE9).imm32(distance);
  }

  /** Switches the power off, then halts for good. */
  public Code32 powerOff() {
    bytes(0x66, 0xBA, PM1A_CONTROL, PM1A_CONTROL >> 8);
    bytes(0x66, 0xB8, SLEEP_S5, SLEEP_S5 >> 8, 0x66, 0xEF);
    return halt();
  }

  /** Halts with interrupts off, for good. */
  public Code32 halt() {
    return bytes(0xFA, 0xF4, 0xEB, 0xFD);
  }

  /** Number of bytes so far. */
  public int size() {
    return code.size();
  }

  /** Writes the kernel to a file. */
  public Path write(Path file) throws IOException {
    ByteBuffer elf = ByteBuffer.allocate(0x1000 + code.size()).order(ByteOrder.LITTLE_ENDIAN);
    elf.putInt(0, 0x464C_457F).putShort(4, (short) 0x0102).put(6, (byte) 1);
    elf.putShort(16, (short) 2).putShort(18, (short) 62).putInt(20, 1);
    elf.putLong(24, BASE).putLong(32, 64);
    elf.putShort(52, (short) 64).putShort(54, (short) 56).putShort(56, (short) 2);
    programHeader(elf, 64, 1, 0x1000, code.size());
    programHeader(elf, 120, 4, 0x200, 20);
    elf.putInt(0x200, 4).putInt(0x204, 4).putInt(0x208, 18).putInt(0x20C, 0x006E_6558);
    elf.putInt(0x210, BASE);
    elf.put(0x1000, code.toByteArray());
    return Files.write(file, elf.array());
  }

  private static void programHeader(ByteBuffer elf, int at, int type, long offset, long size) {
    elf.putInt(at, type).putLong(at + 8, offset).putLong(at + 16, BASE).putLong(at + 24, BASE);
    elf.putLong(at + 32, size).putLong(at + 40, size).putLong(at + 48, 4096);
  }
}

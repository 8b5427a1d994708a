// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import dev.spindle.vmm.machine.Code32;

/** A guest that shows on its first serial port what it gets there. */
final class EchoGuest {
  private EchoGuest() {}

  /** Prints a prompt, then what it reads; q switches off, r resets, f ends in an internal error. */
  static Code32 code() {
    return new Code32()
        .outByte(Code32.COM1, '>')
        .bytes(0x66, 0xBA, 0xFD, 0x03, 0xEC) // again: mov dx, LSR; in al, dx
        .bytes(0xA8, 1, 0x74, -9) // test al, 1; jz again
        .bytes(0x66, 0xBA, 0xF8, 0x03, 0xEC, 0xEE) // mov dx, COM1; in al, dx; out dx, al
        .bytes(0x3C, 'f', 0x75, 7) // cmp al, 'f'; jne over
        .bytes(0xB8, 0, 0, 0, 0xD0, 0xFF, 0xE0) // mov eax, 0xD0000000; jmp eax: no memory is there
        .bytes(0x3C, 'r', 0x75, 7) // cmp al, 'r'; jne over
        .outByte(0xCF9, 6)
        .bytes(0x3C, 'q', 0x75, -41) // cmp al, 'q'; jne again
        .powerOff();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.vmm.io.IoCommand.Misuse;
import dev.spindle.vmm.tool.ByteCount;

/** Numbers in {@code io}'s commands. */
final class Numbers {
  /** The most bytes of one request. */
  static final long MOST = Integer.MAX_VALUE / 512 * 512;

  private static final long SECTOR = 512;

  private Numbers() {}

  /** An offset or a length in bytes. */
  static long bytes(String text) throws Misuse {
    long bytes = ByteCount.parse(text);
    if (bytes == ByteCount.TOO_LARGE) {
      throw new Misuse("Parsing error: argument too large -- " + text);
    }
    if (bytes < 0) {
      throw new Misuse(
          "Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- " + text);
    }
    return bytes;
  }

  /** The length of a request. */
  static long length(String text) throws Misuse {
    long bytes = bytes(text);
    if (bytes > MOST) {
      throw new Misuse("length cannot exceed %d, given %s".formatted(MOST, text));
    }
    return bytes;
  }

  static void checkAligned(long number, String what) throws Misuse {
    if (number % SECTOR != 0) {
      throw new Misuse("%d is not a sector-aligned value for '%s'".formatted(number, what));
    }
  }

  /** A byte to fill buffers with, in C's notation. */
  static byte pattern(String text) throws Misuse {
    try {
      int value = Integer.decode(text);
      if (value >= 0 && value <= 255) {
        return (byte) value;
      }
    } catch (NumberFormatException e) {
      throw noPattern(text);
    }
    throw noPattern(text);
  }

  private static Misuse noPattern(String text) {
    return new Misuse(text + " is not a valid pattern byte");
  }
}

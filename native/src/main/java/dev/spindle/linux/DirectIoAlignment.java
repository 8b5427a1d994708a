// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

/**
 * What O_DIRECT asks of the memory and of the offsets and lengths of a file.
 *
 * @param memory bytes, a power of two; 0 if the file does not support O_DIRECT
 * @param offset bytes, a power of two; 0 if the file does not support O_DIRECT
 */
public record DirectIoAlignment(int memory, int offset) {
  /** Whether the file supports O_DIRECT at all. */
  public boolean supported() {
    return memory != 0 && offset != 0;
  }
}

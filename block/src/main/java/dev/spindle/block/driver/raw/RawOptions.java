// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;

/**
 * The window that a user asks for.
 *
 * @param offset where it begins in the child, bytes, a multiple of 512
 * @param size its length in bytes, a multiple of 512
 * @param readOnly {@code read-only}
 */
record RawOptions(long offset, long size, boolean readOnly) {
  /**
   * What was asked for before the child is known.
   *
   * @param size negative for all that follows {@code offset}
   * @param readOnly empty for as the child is
   */
  record Wanted(long offset, long size, Optional<Boolean> readOnly) {
    RawOptions on(BlockNode file) throws BlockException {
      long rest = Math.max(0, file.length() - offset);
      return RawOptions.within(
          file, offset, size < 0 ? rest : size, readOnly.orElse(file.readOnly()));
    }
  }

  static Wanted take(Options options) throws OptionException {
    long offset = options.size("offset", 0);
    long size = options.size("size", -1);
    boolean asChild = options.peek("read-only").isEmpty();
    boolean readOnly = options.bool("read-only", false);
    if (offset % 512 != 0 || (size >= 0 && size % 512 != 0)) {
      throw new OptionException(
          options.owner() + ": 'offset' and 'size' must be multiples of 512 bytes");
    }
    return new Wanted(offset, size, asChild ? Optional.empty() : Optional.of(readOnly));
  }

  private static RawOptions within(BlockNode file, long offset, long size, boolean readOnly)
      throws BlockException {
    if (offset > file.length() || size > file.length() - offset) {
      throw new BlockException(
          "The sum of offset (%d) and size (%d) has to be smaller or equal to the actual size of the containing file (%d)"
              .formatted(offset, size, file.length()));
    }
    return new RawOptions(offset, size, readOnly);
  }

  boolean isWhole(BlockNode file) {
    return offset == 0 && size == file.length();
  }
}

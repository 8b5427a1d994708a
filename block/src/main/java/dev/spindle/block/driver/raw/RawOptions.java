// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The window that a user asks for.
 *
 * @param offset where it begins in the child, bytes, a multiple of 512
 * @param size its length in bytes, a multiple of 512; empty for all that the child has from there
 * @param readOnly {@code read-only}
 */
record RawOptions(long offset, OptionalLong size, boolean readOnly) {
  /**
   * What was asked for before the child is known.
   *
   * @param size empty for all that follows {@code offset}
   * @param readOnly empty for as the child is
   */
  record Wanted(long offset, OptionalLong size, Optional<Boolean> readOnly) {
    RawOptions on(BlockNode file) throws BlockException {
      RawOptions window = RawOptions.within(file, offset, size, readOnly.orElse(file.readOnly()));
      if (file.readOnly() && !window.readOnly()) {
        throw new BlockException("Node '" + file.name() + "' is read-only");
      }
      return window;
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
    return new Wanted(
        offset,
        size < 0 ? OptionalLong.empty() : OptionalLong.of(size),
        asChild ? Optional.empty() : Optional.of(readOnly));
  }

  private static RawOptions within(BlockNode file, long offset, OptionalLong size, boolean readOnly)
      throws BlockException {
    if (offset > file.length() || size.orElse(0) > file.length() - offset) {
      throw new BlockException(
          "The sum of offset (%d) and size (%d) has to be smaller or equal to the actual size of the containing file (%d)"
              .formatted(offset, size.orElse(0), file.length()));
    }
    return new RawOptions(offset, size, readOnly);
  }

  /** How long the window is in a child of so many bytes, which may have become shorter. */
  long length(long childLength) {
    return Math.min(size.orElse(Long.MAX_VALUE), Math.max(0, childLength - offset));
  }

  boolean isWhole(BlockNode file) {
    return offset == 0 && length(file.length()) == file.length();
  }
}

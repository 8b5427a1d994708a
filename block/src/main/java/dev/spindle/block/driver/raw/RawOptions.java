// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * The window that a user asks for.
 *
 * @param offset where it begins in the child, bytes, a multiple of 512
 * @param size its length in bytes, a multiple of 512
 * @param readOnly {@code read-only}
 */
record RawOptions(long offset, long size, boolean readOnly) {
  static RawOptions from(Options options, BlockNode file) throws BlockException, OptionException {
    long offset = options.size("offset", 0);
    long size = options.size("size", Math.max(0, file.length() - offset));
    boolean readOnly = options.bool("read-only", file.readOnly());
    if (offset % 512 != 0 || size % 512 != 0) {
      throw new OptionException(
          options.owner() + ": 'offset' and 'size' must be multiples of 512 bytes");
    }
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

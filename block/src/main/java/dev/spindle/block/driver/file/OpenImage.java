// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.linux.DirectIoAlignment;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.OpenFlag;
import java.util.ArrayList;
import java.util.List;

/**
 * An image as one set of options opens it.
 *
 * @param file open as {@code options} say
 * @param length bytes, a multiple of 512
 * @param limits what the file system takes without a detour
 */
record OpenImage(
    LinuxFile file, FileOptions options, long length, BlockLimits limits, int discardAlignment) {
  /** Memory that is not page-aligned is copied where the kernel does not say what it takes. */
  private static final int SAFE_ALIGNMENT = 4096;

  /**
   * Opens the image.
   *
   * @throws BlockException if that is not possible; nothing is left open then
   */
  static OpenImage open(FileOptions options) throws BlockException {
    LinuxFile file;
    try {
      file = LinuxFile.open(options.filename(), flags(options));
    } catch (LinuxException e) {
      throw new BlockException("Could not open '" + options.filename() + "': " + e.reason(), e);
    }
    try {
      checkType(file);
      BlockLimits limits = limits(file, options);
      int discardAlignment = Math.max(limits.requestAlignment(), sectorSize(file));
      return new OpenImage(file, options, length(file), limits, discardAlignment);
    } catch (LinuxException e) {
      file.close();
      throw new BlockException(e.getMessage(), e);
    } catch (BlockException e) {
      file.close();
      throw e;
    }
  }

  private static OpenFlag[] flags(FileOptions options) {
    List<OpenFlag> flags = new ArrayList<>();
    if (!options.readOnly()) {
      flags.add(OpenFlag.READ_WRITE);
    }
    if (options.direct()) {
      flags.add(OpenFlag.DIRECT);
    }
    return flags.toArray(OpenFlag[]::new);
  }

  private static void checkType(LinuxFile file) throws BlockException {
    switch (file.type()) {
      case REGULAR, BLOCK_DEVICE -> {}
      default ->
          throw new BlockException(
              "'" + file.path() + "' is neither a regular file nor a block device");
    }
  }

  /** Whole sectors: what a last, partial one lacks reads as zeroes. */
  private static long length(LinuxFile file) throws LinuxException {
    return (file.size() + 511) & -512;
  }

  /** A device discards whole sectors, even if its page cache takes writes of less. */
  private static int sectorSize(LinuxFile file) throws LinuxException {
    return file.type() == LinuxFile.Type.BLOCK_DEVICE ? file.logicalBlockSize() : 1;
  }

  private static BlockLimits limits(LinuxFile file, FileOptions options)
      throws LinuxException, BlockException {
    if (!options.direct()) {
      return BlockLimits.NONE;
    }
    DirectIoAlignment alignment = file.directIoAlignment();
    if (!alignment.supported()) {
      throw new BlockException(
          "'" + file.path() + "': the file system does not support cache.direct=on (O_DIRECT)");
    }
    int memory = Math.min(alignment.memory(), SAFE_ALIGNMENT);
    return new BlockLimits(alignment.offset(), memory);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.graph.BlockStatus;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import java.util.OptionalLong;

/** Which parts of a file are holes, as its file system says. */
final class FileExtents {
  private static final long SECTOR = 512;

  private FileExtents() {}

  /** Of the start of a range; data, if the file system does not say. May wait for the disk. */
  static BlockStatus status(LinuxFile file, long offset, long length) {
    try {
      OptionalLong data = file.nextData(offset);
      if (data.isEmpty()) {
        return hole(length);
      }
      if (data.getAsLong() > offset) {
        return hole(Math.min(length, data.getAsLong() - offset));
      }
      // The file's last sector may be a part of one.
      long end = (file.nextHole(offset).orElse(offset) + SECTOR - 1) & -SECTOR;
      return BlockStatus.allData(end > offset ? Math.min(length, end - offset) : length);
    } catch (LinuxException e) {
      return BlockStatus.allData(length);
    }
  }

  private static BlockStatus hole(long length) {
    return new BlockStatus(length, false, true, 1);
  }
}

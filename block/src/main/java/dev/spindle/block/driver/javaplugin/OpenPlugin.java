// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.plugin.DiskDriver;
import dev.spindle.block.plugin.DiskFilter;
import dev.spindle.block.plugin.DiskPlugin;
import dev.spindle.block.plugin.ThreadModel;

/**
 * What an open plugin says of itself.
 *
 * @param requests how it takes requests: itself if it is a filter
 * @param size in bytes
 * @param blockSize in bytes, a power of two
 * @param writable whether it can be written, if what it stands before can
 * @param transparent whether it is a filter that changes nothing
 * @param serialized whether requests come one after another
 * @param ownThreads whether they need threads of its own
 * @param capabilities what it does by itself of that which has a default
 */
record OpenPlugin(
    DiskFilter requests,
    long size,
    int blockSize,
    boolean writable,
    boolean transparent,
    boolean serialized,
    boolean ownThreads,
    Capabilities capabilities) {
  private static final int MOST_BLOCK_SIZE = 64 << 10;
  private static final int SECTOR = 512;

  /**
   * Asks it. What it throws is its own failure.
   *
   * @param next size of what a filter stands before, in bytes
   * @param node the node's name, for messages
   * @throws BlockException if it cannot be as it says
   */
  static OpenPlugin of(DiskPlugin plugin, long next, String node) throws Exception {
    DiskFilter requests =
        switch (plugin) {
          case DiskFilter filter -> filter;
          case DiskDriver driver -> new DriverAsFilter(driver);
        };
    boolean transparent = requests.isTransparent();
    int blockSize = plugin.blockSize();
    if (blockSize < 1 || blockSize > MOST_BLOCK_SIZE || Integer.bitCount(blockSize) != 1) {
      throw new BlockException(
          "a block size of %d bytes is not a power of two from 1 to %d"
              .formatted(blockSize, MOST_BLOCK_SIZE));
    }
    long size = requests.size(next);
    if (size < 0) {
      throw new BlockException("its size of %d bytes is negative".formatted(size));
    }
    if (size % Math.max(blockSize, SECTOR) != 0) {
      throw new BlockException(
          "its size of %d bytes is not a multiple of %d"
              .formatted(size, Math.max(blockSize, SECTOR)));
    }
    if (transparent && size != next) {
      throw new BlockException(
          "it is transparent, but has %d bytes where node '%s' stands before %d"
              .formatted(size, node, next));
    }
    return new OpenPlugin(
        requests,
        size,
        blockSize,
        requests.canWrite(),
        transparent,
        plugin.threadModel() == ThreadModel.SERIALIZED,
        plugin.needsOwnThreads(),
        Capabilities.of(plugin));
  }
}

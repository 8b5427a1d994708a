// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nullio;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code driver=null-co} and {@code driver=null-aio}: a disk that does nothing, for measuring. */
abstract sealed class NullDriver implements BlockDriver permits NullCoDriver, NullAioDriver {
  @Override
  public final BlockNode open(BlockGraph graph, String nodeName, Options options)
      throws BlockException, OptionException {
    long size = options.size("size", 1L << 30);
    if (size % 512 != 0) {
      throw new OptionException(options.owner() + ": 'size' must be a multiple of 512 bytes");
    }
    long latencyNs = options.number("latency-ns", 0, 0, Long.MAX_VALUE);
    boolean readZeroes = options.bool("read-zeroes", false);
    boolean readOnly = options.bool("read-only", false);
    return new NullNode(
        nodeName,
        name(),
        graph.mainContext(),
        new NullOptions(size, latencyNs, readZeroes, readOnly, completesLater()));
  }

  /** Whether a request completes on the loop's next turn rather than within its submission. */
  abstract boolean completesLater();
}

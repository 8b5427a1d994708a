// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkverify;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * {@code driver=blkverify}: does everything to the image {@code test} and to the image {@code raw},
 * and fails what differs.
 */
public final class BlkverifyDriver implements BlockDriver {
  @Override
  public String name() {
    return "blkverify";
  }

  @Override
  public Description read(Options options) throws OptionException {
    OpeningOptions opening = OpeningOptions.of(options);
    ChildOption testOption = ChildOption.take("test", options);
    ChildOption rawOption = ChildOption.take("raw", options);
    return (graph, nodeName) -> {
      BlockNode test = testOption.open(graph, nodeName);
      BlockNode raw = rawOption.open(graph, nodeName);
      if (test.length() != raw.length()) {
        throw new BlockException(
            "Node '%s' has %d bytes, but node '%s' has %d: they cannot read the same"
                .formatted(test.name(), test.length(), raw.name(), raw.length()));
      }
      return new BlkverifyNode(nodeName, opening, test, raw);
    };
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code driver=blkdebug}: fails, suspends and cuts up the requests to its image, by rules. */
public final class BlkdebugDriver implements BlockDriver {
  @Override
  public String name() {
    return "blkdebug";
  }

  @Override
  public Description read(Options options) throws BlockException, OptionException {
    options.inherit(BlkdebugNode.CHILD, "read-only");
    options.inherit(BlkdebugNode.CHILD, "discard");
    // For the image: here, discards are rules' business.
    options.choice("discard", "unmap", "ignore", "off", "unmap", "on");
    OpeningOptions opening = OpeningOptions.of(options, BlkdebugOptions.NAMES);
    BlkdebugOptions wanted = BlkdebugOptions.from(options);
    ChildOption image = ChildOption.take(BlkdebugNode.CHILD, options);
    return (graph, nodeName) ->
        new BlkdebugNode(nodeName, image.open(graph, nodeName), wanted).openedWith(opening);
  }
}

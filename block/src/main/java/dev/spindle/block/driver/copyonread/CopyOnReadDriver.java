// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.copyonread;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;

/**
 * {@code driver=copy-on-read}: what its file has to read from its backing file is written into the
 * file; with {@code bottom=NODE}, only what that node or one above it holds.
 */
public final class CopyOnReadDriver implements BlockDriver {
  @Override
  public String name() {
    return "copy-on-read";
  }

  @Override
  public Description read(Options options) throws OptionException {
    OpeningOptions opening = OpeningOptions.of(options, "bottom");
    Optional<String> bottom = options.string("bottom");
    ChildOption child = ChildOption.take("file", options);
    return (graph, nodeName) -> {
      BlockNode lowest = bottom.isPresent() ? graph.find(bottom.get()) : null;
      BlockNode file = child.open(graph, nodeName);
      return new CopyOnReadNode(nodeName, file, lowest, null).openedWith(opening);
    };
  }
}

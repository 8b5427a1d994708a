// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code driver=file}: raw bytes in a regular file or on a block device. */
public final class FileDriver implements BlockDriver {
  @Override
  public String name() {
    return "file";
  }

  @Override
  public Description read(Options options) throws OptionException {
    FileOptions wanted = FileOptions.from(options);
    return (graph, nodeName) -> new FileNode(nodeName, graph.mainContext(), OpenImage.open(wanted));
  }
}

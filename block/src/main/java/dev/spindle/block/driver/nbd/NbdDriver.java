// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code driver=nbd}: an export of an NBD server. */
public final class NbdDriver implements BlockDriver {
  @Override
  public String name() {
    return "nbd";
  }

  @Override
  public Description read(Options options) throws OptionException {
    OpeningOptions opening = OpeningOptions.of(options, NbdOptions.NAMES);
    NbdOptions wanted = NbdOptions.from(options);
    return (graph, nodeName) -> NbdNode.open(graph, nodeName, opening, wanted);
  }
}

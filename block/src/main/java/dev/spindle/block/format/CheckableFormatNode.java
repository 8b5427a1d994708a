// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.CheckableImage;
import java.util.Set;
import java.util.function.Consumer;

/** A node that shows an image of a format whose metadata can be checked. */
final class CheckableFormatNode extends FormatNode implements CheckableImage {
  CheckableFormatNode(
      String name,
      String driver,
      BlockNode file,
      AioContext controlContext,
      OpeningOptions opening,
      boolean writable) {
    super(name, driver, file, controlContext, opening, writable);
  }

  @Override
  public Result checkImage(Set<Repair> repairs, Consumer<String> messages) throws BlockException {
    if (!repairs.isEmpty() && readOnly()) {
      throw new BlockException("Node '" + name() + "' is read-only, and cannot be repaired");
    }
    CheckTally tally = new CheckTally(repairs, messages);
    onFiles(
        io -> {
          image().check(io, tally);
          if (!repairs.isEmpty()) {
            for (ImageFile file : io.files()) {
              file.flush();
            }
          }
          return tally;
        });
    return tally.result();
  }
}

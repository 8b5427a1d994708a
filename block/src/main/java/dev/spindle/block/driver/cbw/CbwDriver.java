// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.cbw;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code driver=copy-before-write}: saves all that {@code file} holds to {@code target}. */
public final class CbwDriver implements BlockDriver {
  @Override
  public String name() {
    return "copy-before-write";
  }

  @Override
  public Description read(Options options) throws OptionException {
    OpeningOptions opening = OpeningOptions.of(options, "on-cbw-error");
    ChildOption fileOption = ChildOption.take("file", options);
    ChildOption targetOption = ChildOption.take("target", options);
    String onError =
        options.choice("on-cbw-error", "break-guest-write", "break-guest-write", "break-snapshot");
    return (graph, nodeName) -> {
      BlockNode file = fileOption.open(graph, nodeName);
      BlockNode target = targetOption.open(graph, nodeName);
      checkLengths(file, target);
      HierarchicalBitmap unsaved =
          new HierarchicalBitmap(file.length(), DirtyBitmap.defaultGranularity(0));
      unsaved.set(0, file.length());
      return new CbwNode(
              nodeName,
              file,
              target,
              new SavedState(unsaved),
              onError.equals("break-snapshot")
                  ? OnCbwError.BREAK_SNAPSHOT
                  : OnCbwError.BREAK_GUEST_WRITE)
          .openedWith(opening);
    };
  }

  private static void checkLengths(BlockNode file, BlockNode target) throws BlockException {
    if (file.length() != target.length()) {
      throw new BlockException(
          "Node '%s' has %d bytes, and cannot save what node '%s' holds, which has %d"
              .formatted(target.name(), target.length(), file.name(), file.length()));
    }
  }
}

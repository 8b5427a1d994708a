// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * {@code driver=qcow2}: an image in {@code file}, with {@code backing} for what it does not hold.
 * {@code l2-cache-size} bounds how much of its tables is held in memory.
 */
public final class Qcow2Driver implements BlockDriver, ImageProbe {
  private static final Magic MAGIC = Magic.at(0, "QFI\u00fb");
  private static final Magic VERSION_1 = Magic.at(4, "\0\0\0\1");

  @Override
  public String name() {
    return "qcow2";
  }

  @Override
  public Description read(Options options) throws OptionException {
    OpeningOptions opening = OpeningOptions.of(options, "l2-cache-size");
    ChildOption fileOption = ChildOption.take("file", options);
    Optional<ChildOption> backingOption = takeBacking(options);
    long cache = options.size("l2-cache-size", -1);
    return (graph, nodeName) -> {
      BlockNode file = fileOption.open(graph, nodeName);
      if (!opening.readOnly() && !file.readOnly()) {
        throw new BlockException(
            "Node '%s' cannot be written: qcow2 images are read only, with read-only=on"
                .formatted(nodeName));
      }
      Qcow2Node node = new Qcow2Node(nodeName, file, graph.mainContext(), opening);
      node.open(new Qcow2Options(cache < 0 ? OptionalLong.empty() : OptionalLong.of(cache), false));
      try {
        if (backingOption.isPresent()) {
          node.openBacking(backingOption.get().open(graph, nodeName));
        } else {
          checkNoBacking(node);
        }
      } catch (BlockException | OptionException | RuntimeException | Error e) {
        node.close();
        throw e;
      }
      return node;
    };
  }

  private static Optional<ChildOption> takeBacking(Options options) throws OptionException {
    if (options.peekAll("backing").isEmpty() && !options.isNoting()) {
      return Optional.empty();
    }
    return Optional.of(ChildOption.take("backing", options));
  }

  private static void checkNoBacking(Qcow2Node node) throws BlockException {
    Optional<String> named = node.image().header().backingName();
    if (named.isPresent()) {
      throw new BlockException(
          "The image of node '%s' has the backing file '%s': give it with backing=NODE or backing.driver=…"
              .formatted(node.name(), named.get()));
    }
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    // Version 1 is another format, qcow.
    return MAGIC.isIn(head) && !VERSION_1.isIn(head) ? 100 : 0;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.format.BackingOption;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.image.Magic;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;

/**
 * {@code driver=qcow2}: an image in {@code file}, with {@code backing} for what it does not hold,
 * {@code data-file} for what it holds elsewhere, and {@link Qcow2Options}. {@code read-only=on} and
 * {@code discard} hold for a file that is described with its image, too, unless that says
 * otherwise.
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
    options.inherit("file", "read-only");
    options.inherit("file", "discard");
    options.inherit(DataFileOption.NAME, "read-only");
    options.inherit(DataFileOption.NAME, "discard");
    OpeningOptions opening = OpeningOptions.of(options, Qcow2Options.NAMES);
    ChildOption file = ChildOption.take("file", options);
    DataFileOption data = DataFileOption.take(options);
    BackingOption backing = BackingOption.take(options);
    EncryptOption encrypt = EncryptOption.take(options);
    Qcow2Options own = Qcow2Options.take(options);
    return (graph, nodeName) -> {
      BlockNode child = file.open(graph, nodeName);
      Qcow2Node node = new Qcow2Node(nodeName, child, graph.mainContext(), opening, own);
      node.open(graph, backing, encrypt, data);
      return node;
    };
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    // Version 1 is another format, qcow.
    return MAGIC.isIn(head) && !VERSION_1.isIn(head) ? 100 : 0;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.luks;

import dev.spindle.block.crypto.LuksHeader;
import dev.spindle.block.crypto.LuksPassword;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * {@code driver=luks}: the data of a disk that is enciphered in {@code file}; {@code key-secret}
 * names the secret that is its password. {@code read-only=on} holds for a file that is described
 * with it, too, unless that says otherwise.
 */
public final class LuksDriver implements BlockDriver, ImageProbe {
  @Override
  public String name() {
    return "luks";
  }

  @Override
  public Description read(Options options) throws OptionException {
    options.inherit("file", "read-only");
    OpeningOptions opening = OpeningOptions.of(options, LuksPassword.KEY_SECRET);
    ChildOption file = ChildOption.take("file", options);
    LuksPassword secret = LuksPassword.take("", options);
    return (graph, nodeName) -> {
      Optional<byte[]> password = secret.find(graph);
      BlockNode child = file.open(graph, nodeName);
      return LuksNode.open(graph, nodeName, child, opening, password);
    };
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    return LuksHeader.isAt(head.asByteBuffer()) ? 100 : 0;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.luks;

import dev.spindle.block.crypto.LuksHeader;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.image.ImageProbe;
import dev.spindle.block.object.Secret;
import dev.spindle.block.object.UserObjects;
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
  static final String KEY_SECRET = "key-secret";

  @Override
  public String name() {
    return "luks";
  }

  @Override
  public Description read(Options options) throws OptionException {
    options.inherit("file", "read-only");
    OpeningOptions opening = OpeningOptions.of(options, KEY_SECRET);
    ChildOption file = ChildOption.take("file", options);
    Optional<String> secret = options.string(KEY_SECRET);
    return (graph, nodeName) -> {
      Optional<byte[]> password = password(graph, secret);
      BlockNode child = file.open(graph, nodeName);
      return LuksNode.open(graph, nodeName, child, opening, password);
    };
  }

  /** Empty where nobody is to see the data. */
  private static Optional<byte[]> password(BlockGraph graph, Optional<String> secret)
      throws BlockException {
    return secret.isEmpty() && graph.isForDescribing()
        ? Optional.empty()
        : Optional.of(password(graph.objects(), secret));
  }

  /** The password that {@code key-secret} names. */
  static byte[] password(UserObjects objects, Optional<String> secret) throws BlockException {
    if (secret.isEmpty()) {
      throw new BlockException("Parameter 'key-secret' is required for cipher");
    }
    return objects.require(secret.get(), Secret.class, "secret").data();
  }

  @Override
  public int probe(MemorySegment head, String filename) {
    return LuksHeader.isAt(head.asByteBuffer()) ? 100 : 0;
  }
}

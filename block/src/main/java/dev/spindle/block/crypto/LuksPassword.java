// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.object.Secret;
import dev.spindle.block.object.UserObjects;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;

/**
 * The password of a LUKS disk as options give it: by the id of a secret.
 *
 * @param option the name of that option, with what it is nested in
 * @param secret its value; empty if it is not given
 */
public record LuksPassword(String option, Optional<String> secret) {
  /** The option. */
  public static final String KEY_SECRET = "key-secret";

  /**
   * Takes the option.
   *
   * @param prefix of the object that the options are nested in, with its dot; may be empty
   */
  public static LuksPassword take(String prefix, Options options) throws OptionException {
    return new LuksPassword(prefix + KEY_SECRET, options.string(KEY_SECRET));
  }

  /**
   * The password. Control side.
   *
   * @throws BlockException if no secret is given, or there is none with its id
   */
  public byte[] find(UserObjects objects) throws BlockException {
    if (secret.isEmpty()) {
      throw new BlockException("Parameter '" + option + "' is required for cipher");
    }
    return objects.require(secret.get(), Secret.class, "secret").data();
  }

  /** As {@link #find}, but empty if none is given where nobody is to see the data. */
  public Optional<byte[]> find(BlockGraph graph) throws BlockException {
    return secret.isEmpty() && graph.isForDescribing()
        ? Optional.empty()
        : Optional.of(find(graph.objects()));
  }
}

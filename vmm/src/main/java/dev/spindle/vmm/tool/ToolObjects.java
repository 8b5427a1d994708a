// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.object.Secret;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.tls.X509Credentials;
import java.util.List;
import java.util.Map;

/** The arguments of {@code --object}: what images are opened with, by its id. */
public final class ToolObjects {
  private static final String OPTION = "--object";

  private ToolObjects() {}

  /**
   * Makes the objects.
   *
   * @param arguments in the order given
   * @throws ToolException if one is wrong, or none that images can use
   */
  public static void add(ToolBlocks blocks, List<String> arguments) throws ToolException {
    for (String argument : arguments) {
      blocks.control(
          () -> {
            add(blocks, argument);
            return null;
          });
    }
  }

  private static void add(ToolBlocks blocks, String argument)
      throws OptionException, BlockException {
    Map<String, String> given = KeyValues.parse(OPTION, argument, "qom-type");
    Options options = new Options(OPTION + " " + given.getOrDefault("id", argument), given);
    String type = options.require("qom-type");
    blocks
        .graph()
        .objects()
        .add(
            switch (type) {
              case "secret" -> Secret.read(options);
              case X509Credentials.TYPE -> X509Credentials.read(options);
              default -> throw new OptionException(OPTION + ": invalid object type: " + type);
            });
    options.finish();
  }
}

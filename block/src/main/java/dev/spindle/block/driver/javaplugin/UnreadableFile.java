// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.FileTrouble;
import java.io.IOException;
import java.nio.file.Path;

/** Says why a file that an option names cannot be read. */
final class UnreadableFile {
  private UnreadableFile() {}

  static BlockException of(Path file, IOException cause) {
    return new BlockException(
        "Could not read '%s': %s".formatted(file, FileTrouble.reason(cause)), cause);
  }
}

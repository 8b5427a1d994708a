// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Says why a file that an option names cannot be read. */
final class UnreadableFile {
  private UnreadableFile() {}

  static BlockException of(Path file, IOException cause) {
    String reason =
        switch (cause) {
          case NoSuchFileException _ -> "there is no such file";
          case AccessDeniedException _ -> "permission denied";
          case CharacterCodingException _ -> "it is not text in UTF-8";
          default -> cause.getMessage();
        };
    return new BlockException("Could not read '%s': %s".formatted(file, reason), cause);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** Says what is wrong with a file that a user named, where Java says only which one it is. */
public final class FileTrouble {
  private FileTrouble() {}

  /** What is wrong: {@code there is no such file}. */
  public static String reason(IOException trouble) {
    return switch (trouble) {
      case NoSuchFileException _ -> "there is no such file";
      case AccessDeniedException _ -> "permission denied";
      case CharacterCodingException _ -> "it is not text in UTF-8";
      case FileSystemException e when e.getReason() != null -> e.getReason();
      case IOException e when e.getMessage() != null -> e.getMessage();
      case IOException e -> e.getClass().getSimpleName();
    };
  }

  /** What is wrong with which file, or what else was said. */
  public static String sentence(Exception trouble) {
    return switch (trouble) {
      case FileSystemException e when e.getFile() != null ->
          "'%s': %s".formatted(e.getFile(), reason(e));
      case IOException e -> reason(e);
      default -> trouble.getMessage();
    };
  }
}

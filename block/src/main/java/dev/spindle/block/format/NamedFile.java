// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Pattern;

/** A file of this host that an image names. */
public final class NamedFile {
  private static final Pattern PROTOCOL = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]*:.*");
  private static final String FILE_PROTOCOL = "file:";

  private NamedFile() {}

  /**
   * Where it is: beside the image, unless its name says all of it.
   *
   * @param image what holds the image
   * @param given its name as the image has it
   * @param what it is to the image, in words
   * @param option by which users give it
   * @throws BlockException if the name is none of a file on this host
   */
  public static Path resolve(BlockNode image, String given, String what, String option)
      throws BlockException {
    String name = given;
    if (name.startsWith(FILE_PROTOCOL)) {
      name = name.substring(FILE_PROTOCOL.length());
    } else if (PROTOCOL.matcher(name).matches()) {
      throw new BlockException(
          "The %s '%s' is not a file on this host: give it with %s.driver=…"
              .formatted(what, name, option));
    }
    Path path;
    try {
      path = Path.of(name);
    } catch (InvalidPathException e) {
      throw new BlockException("The %s's name cannot be one of a file".formatted(what), e);
    }
    if (path.isAbsolute()) {
      return path;
    }
    return image
        .localFile()
        .orElseThrow(
            () ->
                new BlockException(
                    "Cannot tell where the %s '%s' is: node '%s' is no file of this host"
                        .formatted(what, given, image.name())))
        .resolveSibling(path);
  }

  /** Whether two paths lead to one file; not if one of them leads nowhere. */
  public static boolean isSame(Path one, Path other) {
    try {
      return Files.isSameFile(one, other);
    } catch (IOException e) {
      // Opening it will say what is wrong.
      return false;
    }
  }
}

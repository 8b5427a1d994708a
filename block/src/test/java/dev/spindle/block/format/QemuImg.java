// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** QEMU's own tools, for an opinion that is not ours. */
public final class QemuImg {
  private static final Pattern MAPPED =
      Pattern.compile(
          "\"start\": (\\d+), \"length\": (\\d+), \"depth\": (\\d+),.*?\"zero\": (\\w+), \"data\":"
              + " (\\w+)");

  private QemuImg() {}

  /** What {@code qemu-img map} says of a range. */
  public record Mapped(long start, long length, int depth, boolean zero, boolean data) {}

  /** Runs a tool, which must succeed; returns what it prints. */
  public static String run(Object... command) throws IOException, InterruptedException {
    List<String> words = new ArrayList<>();
    for (Object word : command) {
      words.add(word.toString());
    }
    return QemuTool.run(words.toArray(String[]::new));
  }

  /** The ranges of an image, in order. */
  public static List<Mapped> map(String format, Path image)
      throws IOException, InterruptedException {
    Matcher found = MAPPED.matcher(run("qemu-img", "map", "--output=json", "-f", format, image));
    List<Mapped> ranges = new ArrayList<>();
    while (found.find()) {
      ranges.add(
          new Mapped(
              Long.parseLong(found.group(1)),
              Long.parseLong(found.group(2)),
              Integer.parseInt(found.group(3)),
              Boolean.parseBoolean(found.group(4)),
              Boolean.parseBoolean(found.group(5))));
    }
    return ranges;
  }
}

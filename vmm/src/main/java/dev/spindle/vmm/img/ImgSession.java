// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.BadOption;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolBlocks;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import dev.spindle.vmm.tool.ToolObjects;
import dev.spindle.vmm.tool.ToolOutput;
import java.util.List;

/** What one call of {@code img} works with. */
final class ImgSession {
  /** What a line of a message begins with that is printed without the tool's name. */
  static final String HINT = "|";

  private final ToolOutput output;

  /** Null until an image is opened: much can be said without one. */
  private ToolBlocks blocks;

  ImgSession(ToolOutput output) {
    this.output = output;
  }

  ToolOutput output() {
    return output;
  }

  /** A refusal of the command line. */
  ToolException misuse(String message) {
    return new ToolException(
        message + "\n|Try '" + output.program() + " --help' for more information");
  }

  /**
   * The image of a command that takes one.
   *
   * @throws ToolException if none is given, or several are
   */
  String imageName(Parsed parsed) throws ToolException {
    if (parsed.operands().size() != 1) {
      throw misuse("Expecting one image file name");
    }
    return parsed.operands().getFirst();
  }

  /** Reads a command line; null if it asks for help, which has been given. */
  Parsed parse(OptionParser parser, List<String> arguments) throws ToolException {
    try {
      Parsed parsed = parser.parse(arguments);
      if (parsed.has("h")) {
        output.print(Help.text(output.program()));
        return null;
      }
      List<String> objects = parsed.all("object");
      if (!objects.isEmpty()) {
        ToolObjects.add(blocks(), objects);
      }
      return parsed;
    } catch (BadOption e) {
      throw misuse(
          e.isMissingValue()
              ? "missing argument for option '" + e.option() + "'"
              : "unrecognized option '" + e.option() + "'");
    }
  }

  ToolBlocks blocks() throws ToolException {
    if (blocks == null) {
      blocks = ToolBlocks.start();
    }
    return blocks;
  }

  /** Runs a command's work, which may use images. */
  int run(ToolBlocks.Work<Integer> work) throws ToolException {
    return blocks().run(work);
  }

  /** Opens an image, for straight-line code of {@link #run}. */
  ToolImage open(ImageWish wish) throws ToolException {
    try {
      return ToolImage.open(blocks(), wish);
    } catch (ToolException e) {
      throw new ToolException("Could not open '" + wish.name() + "': " + e.getMessage(), e);
    }
  }

  /** As {@link #open}, to be written: says so where nobody named the format. */
  ToolImage openToWrite(ImageWish wish) throws ToolException {
    ToolImage image = open(wish.writable(true));
    if (image.isProbedRaw()) {
      output.errorLine(
          """
          WARNING: Image format was not specified for '%s' and probing guessed raw.
                   Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.
                   Specify the 'raw' format explicitly to remove the restrictions.\
          """
              .formatted(wish.name()));
    }
    return image;
  }

  /** A cache mode that was given, or the one that holds otherwise. */
  static CacheMode cache(String given, CacheMode otherwise, String what) throws ToolException {
    if (given == null) {
      return otherwise;
    }
    return CacheMode.of(given)
        .orElseThrow(() -> new ToolException("Invalid " + what + " option: " + given));
  }

  /** Whether {@code --output} wants JSON. */
  static boolean wantsJson(Parsed parsed) throws ToolException {
    String given = parsed.last("output");
    if (given == null || given.equals("human")) {
      return false;
    }
    if (given.equals("json")) {
      return true;
    }
    throw new ToolException("--output must be used with human or json as argument.");
  }

  /** A number of bytes that must be one. */
  static long bytes(String text, String what) throws ToolException {
    long bytes = ByteCount.parse(text);
    if (bytes == ByteCount.TOO_LARGE) {
      throw new ToolException(
          "Invalid " + what + " specified. Must be between 0 and 9223372036854775807.");
    }
    if (bytes < 0) {
      throw new ToolException(
          "Invalid "
              + what
              + " specified. You may use k, M, G, T, P or E suffixes for\n"
              + "kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.");
    }
    return bytes;
  }

  /** Ends everything. */
  void close() throws ToolException {
    if (blocks != null) {
      blocks.close();
    }
  }
}

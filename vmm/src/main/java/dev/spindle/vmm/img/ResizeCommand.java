// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.image.Preallocation;
import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.ArrayList;
import java.util.List;

/** {@code resize}: makes an image longer or shorter. */
final class ResizeCommand implements ImgCommand {
  private static final OptionParser OPTIONS =
      new OptionParser("f:hq", "help=h", "object:", "image-opts", "preallocation:", "shrink");

  @Override
  public int run(ImgSession session, List<String> given) throws ToolException {
    // The last word is the size, be it an option by its looks.
    if (given.isEmpty()
        || (given.size() == 1 && !given.contains("-h") && !given.contains("--help"))) {
      throw session.misuse("Not enough arguments");
    }
    List<String> arguments = new ArrayList<>(given);
    String size = given.contains("-h") || given.contains("--help") ? "" : arguments.removeLast();
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    Preallocation preallocation = Preallocations.parse(parsed.last("preallocation"));
    if (parsed.operands().size() != 1) {
      throw session.misuse("Expecting image file name and size");
    }
    ImageWish wish =
        ImageWish.reading(parsed.operands().getFirst(), parsed.has("image-opts"), parsed.last("f"));
    int direction = size.startsWith("+") ? 1 : size.startsWith("-") ? -1 : 0;
    long bytes = ByteCount.parse(direction == 0 ? size : size.substring(1));
    if (bytes < 0) {
      throw new ToolException(
          "Parameter 'size' expects a non-negative number below 2^64\n"
              + "|Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
              + "|and exabytes, respectively.");
    }
    return session.run(
        () -> {
          try (ToolImage image = session.openToWrite(wish)) {
            long before = image.length();
            long wanted = direction == 0 ? bytes : before + direction * bytes;
            resize(session, image, wanted, preallocation, parsed.has("shrink"));
          }
          if (!parsed.has("q")) {
            session.output().println("Image resized.");
          }
          return 0;
        });
  }

  private static void resize(
      ImgSession session, ToolImage image, long wanted, Preallocation preallocation, boolean shrink)
      throws ToolException {
    long before = image.length();
    if (wanted <= 0) {
      throw new ToolException("New image size must be positive");
    }
    if (wanted <= before && preallocation != Preallocation.OFF) {
      throw new ToolException("Preallocation can only be used for growing images");
    }
    if (wanted < before && !shrink) {
      throw new ToolException(
          "Use the --shrink option to perform a shrink operation.\n"
              + "warning: Shrinking an image will delete all data beyond the shrunken image's end."
              + " Before performing such an operation, make sure there is no important data"
              + " there.");
    }
    image.resize(wanted);
    if (wanted > before && preallocation != Preallocation.OFF) {
      try {
        Preallocations.allocate(session, image, before, preallocation);
      } catch (ToolException e) {
        image.resize(before);
        throw e;
      }
    }
  }
}

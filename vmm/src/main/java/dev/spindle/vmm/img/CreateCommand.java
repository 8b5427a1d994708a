// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.List;

/** {@code create}: makes an image. */
final class CreateCommand implements ImgCommand {
  private static final OptionParser OPTIONS = new OptionParser("F:b:f:ho:qu", "help=h", "object:");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    NewImageWish wish = NewImageWish.of(parsed, "f");
    if (wish.asksForHelp()) {
      return wish.help(session);
    }
    String format = wish.format();
    List<String> texts = wish.texts();
    if (parsed.operands().isEmpty()) {
      throw session.misuse("Expecting image file name");
    }
    String filename = parsed.operands().getFirst();
    long size =
        parsed.operands().size() < 2
            ? -1
            : ImgSession.bytes(parsed.operands().get(1), "image size");
    if (parsed.operands().size() > 2) {
      throw session.misuse("Unexpected argument: " + parsed.operands().get(2));
    }
    return session.run(
        () -> {
          try {
            create(session, parsed, format, texts, filename, size);
          } catch (ToolException e) {
            throw new ToolException(filename + ": " + e.getMessage(), e);
          }
          return 0;
        });
  }

  private static void create(
      ImgSession session,
      Parsed parsed,
      String format,
      List<String> texts,
      String filename,
      long size)
      throws ToolException {
    NewImage image = NewImage.of(session.blocks(), format);
    image.take(texts);
    backing(image, "backing_file", parsed.last("b"), "Backing file");
    backing(image, "backing_fmt", parsed.last("F"), "Backing format");
    if (size >= 0) {
      if (image.value("size").isPresent()) {
        throw new ToolException("The image size must be specified only once");
      }
      image.put("size", Long.toString(size));
    }
    if (image.value("backing_file").isPresent()) {
      useBacking(session, image, filename, parsed.has("u"));
    }
    if (image.value("size").isEmpty()) {
      throw new ToolException("Image creation needs a size parameter");
    }
    if (!parsed.has("q")) {
      session.output().printNow(image.announcement(filename) + "\n");
    }
    image.create(session, filename);
  }

  private static void backing(NewImage image, String option, String value, String what)
      throws ToolException {
    if (value == null) {
      return;
    }
    if (!image.takes(option)) {
      throw new ToolException(what + " not supported for file format '" + image.format() + "'");
    }
    image.put(option, value);
  }

  /** An image that backs onto another has its size, if none is given. */
  private static void useBacking(
      ImgSession session, NewImage image, String filename, boolean unsafe) throws ToolException {
    String backing = image.value("backing_file").orElseThrow();
    if (backing.isEmpty()) {
      throw new ToolException("Expected backing file name, got empty string");
    }
    String format = image.value("backing_fmt").orElse(null);
    if (backing.equals(filename)) {
      throw new ToolException(
          "Error: Trying to create an image with the same filename as the backing file");
    }
    if (unsafe) {
      if (format == null) {
        throw new ToolException("Backing file specified without backing format");
      }
      return;
    }
    String full = ChainNames.resolve(filename, backing);
    ImageWish wish = ImageWish.reading(full, false, format);
    String probed;
    try (ToolImage opened = ToolImage.open(session.blocks(), wish)) {
      if (image.value("size").isEmpty()) {
        image.put("size", Long.toString(opened.length()));
      }
      probed = opened.node().driver();
    } catch (ToolException e) {
      throw new ToolException(
          e.getMessage() + "\n" + ImgSession.HINT + "Could not open backing image.", e);
    }
    if (format == null) {
      throw new ToolException(
          "Backing file specified without backing format\n"
              + ImgSession.HINT
              + "Detected format of "
              + probed
              + ".");
    }
  }
}

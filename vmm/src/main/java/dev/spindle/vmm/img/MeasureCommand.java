// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Option;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.PrettyJson;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@code measure}: says how much space an image would need in a format. */
final class MeasureCommand implements ImgCommand {
  private static final OptionParser OPTIONS =
      new OptionParser(
          "hf:l:o:O:U", "help=h", "output:", "object:", "image-opts", "force-share=U", "size:");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    String format = parsed.last("O") == null ? "raw" : parsed.last("O");
    long given =
        parsed.last("size") == null ? -1 : ImgSession.bytes(parsed.last("size"), "image size");
    boolean json = ImgSession.wantsJson(parsed);
    if (parsed.operands().size() > 1) {
      throw new ToolException("At most one filename argument is allowed.");
    }
    if (parsed.operands().size() == 1 && given >= 0) {
      throw new ToolException("--size N cannot be used together with a filename.");
    }
    if (parsed.operands().isEmpty() && given < 0) {
      throw new ToolException("Either --size N or one filename must be specified.");
    }
    return session.run(
        () -> {
          NewImage image = NewImage.of(session.blocks(), format);
          image.take(texts(parsed));
          if (!format.equals("raw")) {
            throw new ToolException(
                "Block driver '" + format + "' does not support size measurement");
          }
          print(session, given >= 0 ? given : length(session, parsed), json);
          return 0;
        });
  }

  private static List<String> texts(Parsed parsed) {
    return parsed.options().stream()
        .filter(option -> option.name().equals("o"))
        .map(Option::value)
        .toList();
  }

  private static long length(ImgSession session, Parsed parsed) throws ToolException {
    ImageWish wish =
        ImageWish.reading(parsed.operands().getFirst(), parsed.has("image-opts"), parsed.last("f"))
            .forceShare(parsed.has("U"));
    try (ToolImage image = session.open(wish)) {
      return image.length();
    }
  }

  /** Raw images take what they show. */
  private static void print(ImgSession session, long bytes, boolean json) {
    long size = bytes + 511 & -512;
    if (json) {
      Map<String, Object> object = new LinkedHashMap<>();
      object.put("required", size);
      object.put("fully-allocated", size);
      session.output().println(PrettyJson.of(object));
    } else {
      session.output().println("required size: " + size);
      session.output().println("fully allocated size: " + size);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.image.MeasuredSource;
import dev.spindle.block.image.Measurement;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.PrettyJson;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

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
    if (parsed.operands().isEmpty()
        && (parsed.has("image-opts") || parsed.has("f") || parsed.has("l"))) {
      throw new ToolException("--image-opts, -f, and -l require a filename argument.");
    }
    return session.run(
        () -> {
          NewImage image = NewImage.of(session.blocks(), format);
          try {
            image.take(NewImageWish.of(parsed, "O").texts());
          } catch (ToolException e) {
            throw new ToolException(
                e.getMessage() + "\nInvalid options for file format '" + format + "'", e);
          }
          if (given >= 0) {
            image.put("size", Long.toString(given));
            print(session, image.measure(Optional.empty()), json);
            return 0;
          }
          ImageWish wish =
              ImageWish.reading(
                      parsed.operands().getFirst(), parsed.has("image-opts"), parsed.last("f"))
                  .forceShare(parsed.has("U"));
          try (ToolImage source = session.open(wish)) {
            if (parsed.has("l")) {
              ConvertCommand.showSnapshot(session, source, parsed.last("l"));
            }
            image.put("size", Long.toString(source.length()));
            print(session, image.measure(Optional.of(new Source(source))), json);
          }
          return 0;
        });
  }

  /** What an image holds. */
  private record Source(ToolImage image) implements MeasuredSource {
    @Override
    public long dataBytes(long unit) {
      long bytes = 0;
      for (long at = 0; at < image.length(); ) {
        BlockStatus status = image.status(at, image.length() - at);
        long end = at + status.length();
        if (status.data() && !status.zero()) {
          end = (end + unit - 1) & -unit;
          bytes += end - (at & -unit);
        }
        at = end;
      }
      return bytes;
    }

    @Override
    public Optional<List<DirtyBitmap>> bitmaps() {
      DirtyBitmaps bitmaps = image.node().bitmaps();
      return bitmaps.canPersist() ? Optional.of(bitmaps.persistent()) : Optional.empty();
    }
  }

  private static void print(ImgSession session, Measurement size, boolean json) {
    if (json) {
      Map<String, Object> object = new LinkedHashMap<>();
      size.bitmaps().ifPresent(bytes -> object.put("bitmaps", bytes));
      object.put("required", size.required());
      object.put("fully-allocated", size.fullyAllocated());
      session.output().println(PrettyJson.of(object));
      return;
    }
    session.output().println("required size: " + size.required());
    session.output().println("fully allocated size: " + size.fullyAllocated());
    size.bitmaps().ifPresent(bytes -> session.output().println("bitmaps size: " + bytes));
  }
}

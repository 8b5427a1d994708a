// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.graph.BlockException;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Option;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/** {@code bitmap}: changes the persistent bitmaps of an image. */
final class BitmapCommand implements ImgCommand {
  private static final String ADD = "add";
  private static final String DISABLE = "disable";
  private static final String MERGE = "merge";
  private static final Set<String> VERBS = Set.of(ADD, "remove", "clear", "enable", DISABLE, MERGE);

  private static final OptionParser OPTIONS =
      new OptionParser(
          "hb:f:F:g:",
          "help=h",
          "object:",
          "image-opts",
          ADD,
          "remove",
          "clear",
          "enable",
          DISABLE,
          MERGE + ":",
          "granularity:=g",
          "source-file:=b",
          "source-format:=F");

  /**
   * What is to be done.
   *
   * @param bitmap its name
   * @param granularity of a new one, bytes
   * @param disabled whether a new one is to record nothing
   */
  private record Wish(String bitmap, OptionalLong granularity, boolean disabled) {}

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    long granularity =
        parsed.last("g") == null ? 0 : ImgSession.bytes(parsed.last("g"), "granularity");
    List<Option> verbs =
        parsed.options().stream().filter(option -> VERBS.contains(option.name())).toList();
    check(parsed, verbs, granularity);
    Wish wish =
        new Wish(
            parsed.operands().getLast(),
            granularity == 0 ? OptionalLong.empty() : OptionalLong.of(granularity),
            parsed.has(ADD) && parsed.has(DISABLE));
    return session.run(
        () -> {
          try (OpenImages images = new OpenImages()) {
            ImageWish named =
                ImageWish.reading(
                    parsed.operands().getFirst(), parsed.has("image-opts"), parsed.last("f"));
            ToolImage image = images.add(session.openToWrite(named));
            ToolImage source =
                parsed.has("b")
                    ? images.add(
                        session.open(ImageWish.reading(parsed.last("b"), false, parsed.last("F"))))
                    : image;
            for (Option verb : verbs) {
              session.blocks().control(() -> change(image, source, verb, wish));
            }
            session
                .blocks()
                .control(
                    () -> {
                      image.node().bitmaps().store();
                      return null;
                    });
          }
          return 0;
        });
  }

  private static void check(Parsed parsed, List<Option> verbs, long granularity)
      throws ToolException {
    if (parsed.has("image-opts") && parsed.has("f")) {
      throw new ToolException("--image-opts and --format are mutually exclusive");
    }
    if (verbs.isEmpty()) {
      throw new ToolException(
          "Need at least one of --add, --remove, --clear, --enable, --disable, or --merge");
    }
    if (granularity != 0 && !parsed.has(ADD)) {
      throw new ToolException("granularity only supported with --add");
    }
    if (parsed.has("F") && !parsed.has("b")) {
      throw new ToolException("-F only supported with -b");
    }
    if (parsed.has("b") && !parsed.has(MERGE)) {
      throw new ToolException("Merge bitmap source file only supported with --merge");
    }
    if (parsed.operands().size() != 2) {
      throw new ToolException("Expecting filename and bitmap name");
    }
  }

  /** Control side. */
  private static Void change(ToolImage image, ToolImage source, Option verb, Wish wish)
      throws BlockException {
    DirtyBitmaps bitmaps = image.node().bitmaps();
    try {
      if (verb.name().equals(ADD)) {
        DirtyBitmap made = bitmaps.addPersistent(wish.bitmap, wish.granularity);
        if (wish.disabled) {
          bitmaps.disable(made);
        }
        return null;
      }
      DirtyBitmap bitmap = bitmaps.require(wish.bitmap);
      switch (verb.name()) {
        case "remove" -> bitmaps.remove(bitmap);
        case "clear" -> bitmaps.clear(bitmap);
        case "enable" -> bitmaps.enable(bitmap);
        case DISABLE -> bitmaps.disable(bitmap);
        default -> bitmaps.merge(bitmap, List.of(source.node().bitmaps().require(verb.value())));
      }
    } catch (BlockException e) {
      throw new BlockException(
          "Operation %s on bitmap %s failed: %s"
              .formatted(verb.name(), wish.bitmap, e.getMessage()),
          e);
    }
    return null;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.image.AmendableImage;
import dev.spindle.block.image.AmendableImage.Amendment;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.CreateOption.Kind;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.ImageDescription;
import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** {@code amend}: changes what an image was made with. */
final class AmendCommand implements ImgCommand {
  private static final List<CreateOption> KNOWN =
      List.of(
          CreateOption.of("backing_file", Kind.TEXT, "File name of a base image"),
          CreateOption.of("backing_fmt", Kind.TEXT, "Image format of the base image"),
          CreateOption.of("compat", Kind.TEXT, "Compatibility level (v2 [0.10] or v3 [1.1])"),
          CreateOption.of("lazy_refcounts", Kind.BOOL, "Postpone refcount updates"),
          CreateOption.of("refcount_bits", Kind.NUMBER, "Width of a reference count entry in bits"),
          CreateOption.of("size", Kind.SIZE, "Virtual disk size"));

  private static final OptionParser OPTIONS =
      new OptionParser("hf:t:o:pq", "help=h", "object:", "image-opts", "force");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    if (!parsed.has("o")) {
      throw session.misuse("Must specify options (-o)");
    }
    CacheMode cache = ImgSession.cache(parsed.last("t"), CacheMode.WRITEBACK, "cache");
    List<String> texts = NewImageWish.of(parsed, "f").texts();
    boolean help = texts.contains("help") || texts.contains("?");
    if (help && parsed.has("f")) {
      return help(session, parsed.last("f"));
    }
    if (parsed.operands().size() != 1) {
      throw new ToolException("Expecting one image file name");
    }
    return session.run(
        () -> {
          ImageWish wish =
              ImageWish.reading(
                      parsed.operands().getFirst(), parsed.has("image-opts"), parsed.last("f"))
                  .cache(cache);
          try (ToolImage image = session.openToWrite(wish)) {
            if (help) {
              return help(session, image.node().driver());
            }
            Progress progress =
                new Progress(session.output(), parsed.has("p") && !parsed.has("q"), 1);
            amend(session, image, texts);
            progress.end();
          }
          return 0;
        });
  }

  private static int help(ImgSession session, String format) throws ToolException {
    if (!format.equals("qcow2")) {
      throw unsupported(format);
    }
    session.output().print("Amend options for 'qcow2':\n" + NewImage.lines(KNOWN));
    return 0;
  }

  private static ToolException unsupported(String format) {
    return new ToolException("Format driver '" + format + "' does not support option amendment");
  }

  private static void amend(ImgSession session, ToolImage image, List<String> texts)
      throws ToolException {
    String format = image.node().driver();
    if (!(BackingChain.image(image.node()) instanceof AmendableImage node)) {
      throw unsupported(format);
    }
    NewImage options = NewImage.amended(session.blocks(), format, KNOWN);
    options.take(texts);
    checkBacking(session, image, options);
    Amendment amendment =
        new Amendment(
            version(options.value("compat")),
            options.value("lazy_refcounts").map("on"::equals),
            options
                .value("refcount_bits")
                .map(bits -> OptionalInt.of((int) Math.min(128, Long.parseLong(bits))))
                .orElseGet(OptionalInt::empty));
    long size = options.value("size").map(ByteCount::parse).orElse(0L);
    if (size % 512 != 0) {
      throw new ToolException("The new size must be a multiple of 512");
    }
    session
        .blocks()
        .control(
            () -> {
              node.checkAmendment(amendment);
              return null;
            });
    if (size > 0) {
      image.resize(size);
    }
    session
        .blocks()
        .control(
            () -> {
              node.amend(amendment);
              return null;
            });
  }

  private static void checkBacking(ImgSession session, ToolImage image, NewImage options)
      throws ToolException {
    Optional<String> file = options.value("backing_file");
    Optional<String> format = options.value("backing_fmt");
    if (file.isEmpty() && format.isEmpty()) {
      return;
    }
    ImageDescription now =
        image.node() instanceof DescribedImage described
            ? session.blocks().control(described::describeImage)
            : ImageDescription.PLAIN;
    if (!file.equals(now.backingFile()) || !format.equals(now.backingFormat())) {
      throw new ToolException(
          "Cannot amend the backing file\n"
              + ImgSession.HINT
              + "You can use '"
              + session.output().program()
              + " rebase' instead.");
    }
  }

  private static OptionalInt version(Optional<String> compat) throws ToolException {
    if (compat.isEmpty()) {
      return OptionalInt.empty();
    }
    return switch (compat.get()) {
      case "0.10", "v2" -> OptionalInt.of(2);
      case "1.1", "v3" -> OptionalInt.of(3);
      default -> throw new ToolException("Unknown compatibility level " + compat.get());
    };
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.image.BackedImage;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * {@code rebase}: has an image back onto another one. What the image shows stays, for where the two
 * differ it is given the data; or, with {@code -u}, the name alone is changed.
 */
final class RebaseCommand implements ImgCommand {
  private static final OptionParser OPTIONS =
      new OptionParser("hf:F:b:upt:T:qU", "help=h", "object:", "image-opts", "force-share=U");

  /** What images call the format of a host's device; {@code file} shows those, too. */
  private static final Set<String> DEVICES = Set.of("host_device", "host_cdrom");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    String name = session.imageName(parsed);
    boolean unsafe = parsed.has("u");
    String base = parsed.last("b");
    if (!unsafe && base == null) {
      throw session.misuse("Must specify backing file (-b) or use unsafe mode (-u)");
    }
    CacheMode cache = ImgSession.cache(parsed.last("t"), CacheMode.WRITEBACK, "cache");
    CacheMode source = ImgSession.cache(parsed.last("T"), CacheMode.WRITEBACK, "source cache");
    ImageWish wish =
        ImageWish.reading(name, parsed.has("image-opts"), parsed.last("f")).cache(cache);
    String format = parsed.last("F");
    return session.run(
        () -> {
          try (OpenImages images = new OpenImages()) {
            ToolImage image = images.add(session.openToWrite(unsafe ? wish.alone() : wish));
            if (format != null
                && !DEVICES.contains(format)
                && !session.blocks().graph().drivers().containsKey(format)) {
              throw new ToolException("Invalid format name: '" + format + "'");
            }
            Progress progress =
                new Progress(session.output(), parsed.has("p") && !parsed.has("q"), image.length());
            if (!unsafe) {
              ImageWish below =
                  ImageWish.reading(base, false, format).cache(source).forceShare(parsed.has("U"));
              copy(session, images, image, below, progress);
            }
            name(session, image, base, format);
            progress.end();
          }
          return 0;
        });
  }

  /** Gives the image what it would not show any more. */
  private static void copy(
      ImgSession session, OpenImages images, ToolImage image, ImageWish wish, Progress progress)
      throws ToolException {
    List<BlockNode> layers = session.blocks().control(() -> BackingChain.of(image.node()).images());
    BlockNode before = layers.size() > 1 ? layers.get(1) : null;
    ToolImage old = before == null ? null : images.add(ToolImage.ofNode(session.blocks(), before));
    ToolImage next = null;
    int between = -1;
    if (!wish.name().isEmpty()) {
      String full = ChainNames.resolve(image.name(), wish.name());
      Optional<BlockNode> same =
          session.blocks().control(() -> BackingChain.of(image.node()).find(full));
      next =
          images.add(
              same.isPresent()
                  ? ToolImage.ofNode(session.blocks(), same.get())
                  : open(session, wish.named(full), wish.name()));
      between = same.isPresent() ? layers.indexOf(same.get()) - 1 : -1;
    }
    new RebaseCopy(image, old, next, between, progress).run();
  }

  private static ToolImage open(ImgSession session, ImageWish wish, String given)
      throws ToolException {
    try {
      return ToolImage.open(session.blocks(), wish);
    } catch (ToolException e) {
      throw new ToolException(
          "Could not open new backing file '%s': %s".formatted(given, e.getMessage()), e);
    }
  }

  private static void name(ImgSession session, ToolImage image, String base, String format)
      throws ToolException {
    if (!(BackingChain.image(image.node()) instanceof BackedImage backed)) {
      throw refusal(base, Errno.message(Errno.EOPNOTSUPP));
    }
    Optional<BackingName> name =
        base == null || base.isEmpty()
            ? Optional.empty()
            : Optional.of(new BackingName(base, Optional.ofNullable(format)));
    if (name.isPresent() && format == null) {
      throw refusal(base, "backing format must be specified");
    }
    try {
      session
          .blocks()
          .control(
              () -> {
                try (DrainedSection section = DrainedSection.begin(image.node())) {
                  backed.changeBackingFile(name);
                }
                return null;
              });
    } catch (ToolException e) {
      throw refusal(base, e.getMessage());
    }
  }

  private static ToolException refusal(String base, String reason) {
    return new ToolException(
        "Could not change the backing file to '%s': %s"
            .formatted(base == null ? "" : base, reason));
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.image.PackedImage;
import dev.spindle.block.image.SnapshottedImage;
import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** {@code convert}: copies images, one behind the other, into one, in any format. */
final class ConvertCommand implements ImgCommand {
  private static final int MOST_AT_ONCE = 16;
  private static final int AT_ONCE = 8;
  private static final long SPARSE = 4096;
  private static final long MOST_SPARSE = 16 << 20;

  private static final OptionParser OPTIONS =
      new OptionParser(
          "hf:O:B:CcF:o:l:S:pt:T:qnm:WUr:",
          "help=h",
          "source-cache=T",
          "object:",
          "image-opts",
          "target-image-opts",
          "force-share=U",
          "target-is-zero",
          "bitmaps",
          "skip-broken-bitmaps",
          "salvage",
          "rate-limit=r");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    NewImageWish wish = NewImageWish.of(parsed, "O");
    if (wish.asksForHelp()) {
      return wish.help(session);
    }
    String format = wish.format();
    List<String> texts = wish.texts();
    long sparse = sparse(parsed.last("S"));
    int atOnce = atOnce(parsed.last("m"));
    long rate = parsed.last("r") == null ? 0 : ImgSession.bytes(parsed.last("r"), "rate limit");
    CacheMode target = ImgSession.cache(parsed.last("t"), CacheMode.UNSAFE, "cache");
    CacheMode source = ImgSession.cache(parsed.last("T"), CacheMode.WRITEBACK, "source cache");
    checkTogether(parsed, texts);
    if (parsed.operands().size() < 2) {
      throw new ToolException("Must specify image file name");
    }
    if (parsed.operands().size() > 2 && parsed.has("B")) {
      throw new ToolException(
          "Having a backing file for the target makes no sense when concatenating multiple input"
              + " images");
    }
    return session.run(
        () -> {
          convert(session, parsed, format, texts, source, target, sparse, atOnce, rate);
          return 0;
        });
  }

  private static void checkTogether(Parsed parsed, List<String> texts) throws ToolException {
    boolean skipsCreation = parsed.has("n");
    if (parsed.has("C") && parsed.has("S")) {
      throw new ToolException("Cannot enable copy offloading when -S is used");
    }
    if (parsed.has("C") && parsed.has("c")) {
      throw new ToolException("Cannot enable copy offloading when -c is used");
    }
    if (parsed.has("target-image-opts") && !skipsCreation) {
      throw new ToolException("--target-image-opts requires use of -n flag");
    }
    if (parsed.has("target-is-zero") && !skipsCreation) {
      throw new ToolException("--target-is-zero requires use of -n flag");
    }
    if (parsed.has("skip-broken-bitmaps") && !parsed.has("bitmaps")) {
      throw new ToolException("Use of --skip-broken-bitmaps requires --bitmaps");
    }
    if (skipsCreation && !texts.isEmpty()) {
      throw new ToolException("-o has no effect when skipping image creation");
    }
  }

  private static long sparse(String given) throws ToolException {
    if (given == null) {
      return SPARSE;
    }
    long bytes = ImgSession.bytes(given, "buffer size for sparse output");
    if (bytes % 512 != 0 || bytes > MOST_SPARSE) {
      throw new ToolException(
          "Invalid buffer size for sparse output specified. Valid sizes are multiples of 512 up to"
              + " 16777216. Select 0 to disable sparse detection (fully allocates output).");
    }
    return bytes;
  }

  private static int atOnce(String given) throws ToolException {
    if (given == null) {
      return AT_ONCE;
    }
    long count = given.matches("\\d+") ? ByteCount.parse(given) : -1;
    if (count < 1 || count > MOST_AT_ONCE) {
      throw new ToolException(
          "Invalid number of coroutines. Allowed number of coroutines is between 1 and "
              + MOST_AT_ONCE);
    }
    return (int) count;
  }

  private static void convert(
      ImgSession session,
      Parsed parsed,
      String format,
      List<String> texts,
      CacheMode sourceCache,
      CacheMode targetCache,
      long sparse,
      int atOnce,
      long rate)
      throws ToolException {
    List<String> names = parsed.operands().subList(0, parsed.operands().size() - 1);
    String targetName = parsed.operands().getLast();
    boolean salvage = parsed.has("salvage");
    try (OpenImages images = new OpenImages()) {
      List<ToolImage> sources = new ArrayList<>();
      for (String name : names) {
        ImageWish wish =
            ImageWish.reading(name, parsed.has("image-opts"), parsed.last("f"))
                .cache(sourceCache)
                .forceShare(parsed.has("U"));
        ToolImage image = images.add(session.open(wish));
        sources.add(image);
      }
      if (parsed.has("l")) {
        if (sources.size() > 1) {
          throw new ToolException("No support for concatenating multiple snapshot");
        }
        showSnapshot(session, sources.getFirst(), parsed.last("l"));
      }
      Optional<BitmapCopy> bitmaps = Optional.empty();
      if (parsed.has("bitmaps")) {
        bitmaps = Optional.of(BitmapCopy.of(session, sources, parsed.has("skip-broken-bitmaps")));
      }
      long total = sources.stream().mapToLong(ToolImage::length).sum();
      if (!parsed.has("n")) {
        create(session, parsed, format, texts, targetName, total);
      }
      ImageWish wish =
          ImageWish.reading(targetName, parsed.has("target-image-opts"), format)
              .writable(true)
              .cache(targetCache);
      if (parsed.has("target-image-opts")) {
        wish = ImageWish.reading(targetName, true, null).writable(true).cache(targetCache);
      }
      ToolImage target = images.add(session.open(wish));
      if (bitmaps.isPresent()) {
        bitmaps.get().checkTarget(target);
      }
      int packed = parsed.has("c") ? packedBytes(target) : 0;
      if (target.length() < total) {
        throw new ToolException("output file is smaller than input file");
      }
      long backing = backs(parsed, texts) ? backingLength(target) : -1;
      boolean zero = parsed.has("target-is-zero") || (!parsed.has("n") && backing < 0);
      ImageCopy copy =
          new ImageCopy(
              session,
              sources,
              target,
              new ImageCopy.Ways(sparse, atOnce, zero, salvage, rate, backing, packed));
      copy.run(parsed.has("p") && !parsed.has("q"));
      if (bitmaps.isPresent()) {
        bitmaps.get().run(target);
      }
    }
  }

  private static int packedBytes(ToolImage target) throws ToolException {
    if (BackingChain.image(target.node()) instanceof PackedImage packed
        && packed.packedBytes() > 0) {
      return packed.packedBytes();
    }
    throw new ToolException("Compression not supported for this file format");
  }

  /** Has a source show one of its snapshots, given by its id or name, or by both in words. */
  static void showSnapshot(ImgSession session, ToolImage source, String given)
      throws ToolException {
    if (!(source.node() instanceof SnapshottedImage kept)) {
      throw new ToolException(
          "Failed to load snapshot: Block format '%s' used by device '' does not support temporarily loading internal snapshots"
              .formatted(source.node().driver()));
    }
    Optional<String> id = SnapshotWish.of(given).find(session.blocks().control(kept::snapshots));
    try {
      session
          .blocks()
          .control(
              () -> {
                kept.showSnapshot(id.orElseThrow(() -> new BlockException("Can't find snapshot")));
                return null;
              });
    } catch (ToolException e) {
      throw new ToolException("Failed to load snapshot: " + e.getMessage(), e);
    }
  }

  private static boolean backs(Parsed parsed, List<String> texts) {
    return parsed.has("B") || texts.stream().anyMatch(text -> text.contains("backing_file="));
  }

  /** How much of a target its backing file covers; negative if it has none. */
  private static long backingLength(ToolImage target) {
    return target.node().children().stream()
        .filter(edge -> edge.roles().contains(ChildRole.COW))
        .mapToLong(edge -> edge.node().length())
        .findFirst()
        .orElse(-1);
  }

  private static void create(
      ImgSession session, Parsed parsed, String format, List<String> texts, String name, long total)
      throws ToolException {
    NewImage image = NewImage.of(session.blocks(), format);
    image.take(texts);
    if (image.value("size").isEmpty()) {
      image.put("size", Long.toString(total));
    }
    if (parsed.has("B")) {
      if (!image.takes("backing_file")) {
        throw new ToolException("Backing file not supported for file format '" + format + "'");
      }
      image.put("backing_file", parsed.last("B"));
    }
    if (parsed.has("F")) {
      if (!image.takes("backing_fmt")) {
        throw new ToolException("Backing format not supported for file format '" + format + "'");
      }
      image.put("backing_fmt", parsed.last("F"));
    }
    if (image.value("backing_file").isPresent() && image.value("backing_fmt").isEmpty()) {
      throw new ToolException("Use of backing file requires explicit backing format");
    }
    if (parsed.has("c")
        && image.value("preallocation").filter(mode -> !mode.equals("off")).isPresent()) {
      throw new ToolException("Compression and preallocation not supported at the same time");
    }
    if (parsed.has("c") && image.value("encrypt.format").isPresent()) {
      throw new ToolException("Compression and encryption not supported at the same time");
    }
    try {
      image.create(session, name);
    } catch (ToolException e) {
      throw new ToolException(
          "%s: error while converting %s: %s".formatted(name, format, e.getMessage()), e);
    }
  }
}

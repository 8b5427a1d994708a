// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.ImageDescription;
import dev.spindle.block.image.StoredImage;
import dev.spindle.block.probe.FileName;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.PrettyJson;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** {@code info}: says what an image is. */
final class InfoCommand implements ImgCommand {
  private static final OptionParser OPTIONS =
      new OptionParser(
          "hf:U",
          "help=h",
          "format=f",
          "output:",
          "backing-chain",
          "object:",
          "image-opts",
          "force-share=U");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    String name = session.imageName(parsed);
    boolean json = ImgSession.wantsJson(parsed);
    boolean chain = parsed.has("backing-chain");
    ImageWish wish =
        ImageWish.reading(name, parsed.has("image-opts"), parsed.last("f"))
            .forceShare(parsed.has("U"));
    session.blocks().graph().openForDescribing();
    return session.run(
        () -> {
          List<ImageReport> reports = reports(session, wish, chain);
          if (json) {
            List<Map<String, Object>> objects = new ArrayList<>();
            reports.forEach(report -> objects.add(report.json()));
            session.output().println(PrettyJson.of(chain ? objects : objects.getFirst()));
          } else {
            boolean first = true;
            for (ImageReport report : reports) {
              session.output().print(first ? report.text() : "\n" + report.text());
              first = false;
            }
          }
          return 0;
        });
  }

  private static List<ImageReport> reports(ImgSession session, ImageWish first, boolean chain)
      throws ToolException {
    List<ImageReport> reports = new ArrayList<>();
    List<String> names = new ArrayList<>();
    ImageWish wish = first;
    while (wish != null) {
      if (names.contains(wish.name())) {
        throw new ToolException("Backing file '" + wish.name() + "' creates an infinite loop.");
      }
      names.add(wish.name());
      ImageReport report;
      try (ToolImage image = session.open(wish.alone())) {
        report = session.blocks().control(() -> report(image));
      }
      reports.add(report);
      wish = chain ? backing(report, wish) : null;
    }
    return reports;
  }

  private static ImageWish backing(ImageReport report, ImageWish above) {
    if (report.fullBackingName().isEmpty()) {
      return null;
    }
    return ImageWish.reading(
            report.fullBackingName().get(), false, report.image().backingFormat().orElse(null))
        .forceShare(above.forceShare());
  }

  /** Control side. */
  private static ImageReport report(ToolImage image) throws BlockException {
    BlockNode node = image.node();
    ImageDescription description =
        node instanceof DescribedImage described
            ? described.describeImage()
            : ImageDescription.PLAIN;
    return new ImageReport(
        shownName(image), node.driver(), node.length(), stored(node), description);
  }

  /** A file's own name, also where it was given in more words than that. */
  private static String shownName(ToolImage image) {
    boolean plain =
        !image.wish().byOptions()
            && !FileName.isJson(image.name())
            && !image.name().startsWith("file:");
    if (plain) {
      return image.name();
    }
    Optional<Path> file = ownFile(image.node());
    if (file.isEmpty()) {
      return image.name();
    }
    // A path that looks like a protocol would not be taken for a path.
    String path = file.get().toString();
    return FileName.hasProtocol(path) ? "./" + path : path;
  }

  /** The file that a node shows, or that holds the image that it shows. */
  private static Optional<Path> ownFile(BlockNode node) {
    Optional<Path> own = node.localFile();
    return own.isPresent()
        ? own
        : node.children().stream()
            .filter(edge -> edge.roles().contains(ChildRole.PRIMARY))
            .map(BlockEdge::node)
            .filter(child -> child.driver().equals("file"))
            .findFirst()
            .flatMap(BlockNode::localFile);
  }

  /** What a node and those below it that hold parts of the same image take up. */
  private static OptionalLong stored(BlockNode node) {
    if (node instanceof StoredImage image) {
      return image.storedBytes();
    }
    long sum = 0;
    boolean known = false;
    for (BlockEdge edge : node.children()) {
      if (!edge.roles().contains(ChildRole.COW)) {
        OptionalLong part = stored(edge.node());
        if (part.isEmpty()) {
          return part;
        }
        known = true;
        sum += part.getAsLong();
      }
    }
    return known ? OptionalLong.of(sum) : OptionalLong.empty();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.HostRange;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.List;

/** {@code map}: says which ranges of an image hold what. */
final class MapCommand implements ImgCommand {
  private static final OptionParser OPTIONS =
      new OptionParser(
          "f:s:l:hU",
          "help=h",
          "format=f",
          "output:",
          "object:",
          "image-opts",
          "force-share=U",
          "start-offset=s",
          "max-length=l");

  /**
   * A range that is alike.
   *
   * @param offset where it is in the image's file, or -1
   */
  private record Extent(
      long start,
      long length,
      int depth,
      boolean present,
      boolean zero,
      boolean data,
      long offset) {
    boolean continuedBy(Extent next) {
      return zero == next.zero
          && data == next.data
          && present == next.present
          && depth == next.depth
          && (offset >= 0) == (next.offset >= 0)
          && (offset < 0 || offset + length == next.offset);
    }

    Extent and(Extent next) {
      return new Extent(start, length + next.length, depth, present, zero, data, offset);
    }
  }

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    String from = parsed.last("s");
    long start = from == null ? 0 : ImgSession.bytes(from, "start offset");
    String most = parsed.last("l");
    long length = most == null ? Long.MAX_VALUE : ImgSession.bytes(most, "max length");
    String name = session.imageName(parsed);
    boolean json = ImgSession.wantsJson(parsed);
    ImageWish wish =
        ImageWish.reading(name, parsed.has("image-opts"), parsed.last("f"))
            .forceShare(parsed.has("U"));
    return session.run(
        () -> {
          try (ToolImage image = session.open(wish)) {
            print(session, image, start, length, json);
          }
          return 0;
        });
  }

  private static void print(
      ImgSession session, ToolImage image, long start, long length, boolean json)
      throws ToolException {
    session
        .output()
        .print(
            json ? "[" : "%-16s%-16s%-16s%s\n".formatted("Offset", "Length", "Mapped to", "File"));
    List<BlockNode> layers = session.blocks().control(() -> BackingChain.of(image.node()).images());
    long end = length > image.length() - start ? image.length() : start + length;
    Extent current = new Extent(0, 0, 0, false, false, false, -1);
    for (long position = start; position < end; ) {
      Extent next = extent(image, layers, position, end - position);
      if (current.length > 0 && current.continuedBy(next)) {
        current = current.and(next);
      } else {
        if (current.length > 0) {
          print(session, image, layers, current, json, false);
        }
        current = next;
      }
      position += next.length;
    }
    print(session, image, layers, current, json, true);
    if (json) {
      session.output().print("]\n");
    }
  }

  private static Extent extent(
      ToolImage image, List<BlockNode> layers, long position, long length) {
    // What is asked about at a time is bounded, as everybody's patience is.
    BlockStatus status = image.status(position, Math.min(length, 1L << 30));
    HostRange range = image.lane().hostRange(position, status.length());
    long alike = Math.min(status.length(), range.length());
    boolean present = status.depth() > 0 && !status.beyondEnd();
    int depth = present ? status.depth() - 1 : lowest(layers, position);
    if (!present) {
      for (BlockNode layer : layers) {
        // Another one is the lowest behind its end.
        alike = layer.length() > position ? Math.min(alike, layer.length() - position) : alike;
      }
    }
    return new Extent(
        position, alike, depth, present, status.zero(), status.data(), range.offset());
  }

  /** The last layer that is asked about something that none holds. */
  private static int lowest(List<BlockNode> layers, long position) {
    int depth = 0;
    while (depth + 1 < layers.size() && layers.get(depth + 1).length() > position) {
      depth++;
    }
    return depth;
  }

  private static void print(
      ImgSession session,
      ToolImage image,
      List<BlockNode> layers,
      Extent extent,
      boolean json,
      boolean last)
      throws ToolException {
    if (json) {
      String offset = extent.offset < 0 ? "" : ", \"offset\": " + extent.offset;
      session
          .output()
          .print(
              ("{ \"start\": %d, \"length\": %d, \"depth\": %d, \"present\": %b, \"zero\": %b,"
                      + " \"data\": %b%s}%s")
                  .formatted(
                      extent.start,
                      extent.length,
                      extent.depth,
                      extent.present,
                      extent.zero,
                      extent.data,
                      offset,
                      last ? "" : ",\n"));
    } else if (extent.data && extent.offset < 0) {
      throw new ToolException("File contains external, encrypted or compressed clusters.");
    } else if (extent.data && !extent.zero) {
      session
          .output()
          .print(
              "%-16s%-16s%-16s%s\n"
                  .formatted(
                      hex(extent.start),
                      hex(extent.length),
                      hex(extent.offset),
                      file(session, image, layers.get(extent.depth))));
    }
  }

  /** The file of a layer of the chain. */
  private static String file(ImgSession session, ToolImage image, BlockNode layer)
      throws ToolException {
    return session
        .blocks()
        .control(() -> BackingChain.dataFile(layer).map(Object::toString).orElse(image.name()));
  }

  private static String hex(long number) {
    return number == 0 ? "0" : "0x" + Long.toHexString(number);
  }
}

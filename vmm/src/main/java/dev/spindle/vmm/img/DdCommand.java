// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.CacheMode;
import dev.spindle.vmm.tool.ImageWish;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@code dd}: copies a part of an image into a new one. */
final class DdCommand implements ImgCommand {
  private static final List<String> OPERANDS = List.of("bs", "count", "if", "of", "skip");
  private static final long PIECE = 2 << 20;

  private static final OptionParser OPTIONS =
      new OptionParser("hf:O:U", "help=h", "object:", "image-opts", "force-share=U");

  @Override
  public int run(ImgSession session, List<String> arguments) throws ToolException {
    Parsed parsed = session.parse(OPTIONS, arguments);
    if (parsed == null) {
      return 0;
    }
    String format = parsed.last("O") == null ? "raw" : parsed.last("O");
    Map<String, String> given = operands(parsed.operands());
    long block = given.containsKey("bs") ? block(given.get("bs")) : 512;
    long count = number(given, "count", -1);
    long skip = number(given, "skip", 0);
    if (!given.containsKey("if") || !given.containsKey("of")) {
      throw new ToolException("Must specify both input and output files");
    }
    ImageWish from =
        ImageWish.reading(given.get("if"), parsed.has("image-opts"), parsed.last("f"))
            .forceShare(parsed.has("U"));
    return session.run(
        () -> {
          try (ToolImage source = session.open(from)) {
            copy(session, source, format, given.get("of"), block, count, skip);
          }
          return 0;
        });
  }

  private static Map<String, String> operands(List<String> words) throws ToolException {
    Map<String, String> given = new LinkedHashMap<>();
    for (String word : words) {
      int equals = word.indexOf('=');
      String name = equals < 0 ? word : word.substring(0, equals);
      if (equals < 0 || !OPERANDS.contains(name)) {
        throw new ToolException("unrecognized operand " + name);
      }
      given.put(name, word.substring(equals + 1));
    }
    return given;
  }

  private static long block(String text) throws ToolException {
    long bytes = ByteCount.parse(text);
    if (bytes == 0 || bytes == ByteCount.TOO_LARGE || bytes > Integer.MAX_VALUE) {
      throw new ToolException("Invalid bs specified. Must be between 1 and 2147483647.");
    }
    return ImgSession.bytes(text, "bs");
  }

  private static long number(Map<String, String> given, String name, long otherwise)
      throws ToolException {
    return given.containsKey(name) ? ImgSession.bytes(given.get(name), name) : otherwise;
  }

  private static void copy(
      ImgSession session,
      ToolImage source,
      String format,
      String targetName,
      long block,
      long count,
      long skip)
      throws ToolException {
    long size = source.length();
    if (count >= 0 && count < size / block + 1) {
      size = Math.min(size, block * count);
    }
    boolean beyond = skip > source.length() / block;
    long start = beyond ? source.length() : Math.min(skip * block, source.length());
    long end = count < 0 ? source.length() : Math.min(source.length(), start + count * block);
    NewImage image = NewImage.of(session.blocks(), format);
    image.put(
        "size", Long.toString(count < 0 ? source.length() - start : Math.min(size, end - start)));
    try {
      image.create(session, targetName);
    } catch (ToolException e) {
      throw new ToolException(
          "%s: error while creating output image of type '%s': %s"
              .formatted(targetName, format, e.getMessage()),
          e);
    }
    if (beyond) {
      session.output().error(source.name() + ": cannot skip to specified offset");
    }
    ImageWish wish =
        ImageWish.reading(targetName, false, format).writable(true).cache(CacheMode.WRITEBACK);
    try (ToolImage target = session.open(wish);
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(PIECE, 4096);
      for (long position = start; position < end; ) {
        MemorySegment data = buffer.asSlice(0, Math.min(PIECE, end - position));
        check("reading from input", source.read(position, data));
        check("writing to output", target.write(position - start, data));
        position += data.byteSize();
      }
    }
  }

  private static void check(String what, int status) throws ToolException {
    if (status < 0) {
      throw new ToolException(
          "error while %s image file: %s".formatted(what, Errno.message(-status)));
    }
  }
}

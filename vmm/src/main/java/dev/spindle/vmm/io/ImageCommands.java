// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.PreallocatingImage;
import dev.spindle.block.image.Preallocation;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.img.Preallocations;
import dev.spindle.vmm.io.IoCommand.Misuse;
import dev.spindle.vmm.tool.ByteCount;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import java.util.List;

/** Commands about the image as a whole. */
final class ImageCommands {
  private ImageCommands() {}

  static List<IoCommand> all() {
    return List.of(
        new IoCommand(
            "flush",
            "f",
            "",
            0,
            0,
            "",
            "flush all in-core file state to disk",
            ImageCommands::flush),
        new IoCommand(
            "truncate",
            "t",
            "m:",
            1,
            3,
            "[-m prealloc_mode] off",
            "truncates the current file at the given offset",
            ImageCommands::truncate),
        new IoCommand(
            "length",
            "l",
            "",
            0,
            0,
            "",
            "gets the length of the current file",
            (session, parsed) -> {
              session.output().println(ByteCount.exact(session.image().length()));
              return true;
            }),
        new IoCommand(
            "info",
            "i",
            "",
            0,
            0,
            "",
            "prints information about the current file",
            ImageCommands::info),
        new IoCommand(
            "alloc",
            "a",
            "",
            1,
            2,
            "offset [count]",
            "checks if offset is allocated in the file",
            ImageCommands::alloc),
        new IoCommand(
            "map", "", "", 0, 1, "", "prints the allocated areas of a file", ImageCommands::map));
  }

  private static boolean flush(IoSession session, Parsed parsed) {
    int status = session.image().flush();
    return status >= 0 || DataCommands.failed(session, "flush", status);
  }

  private static boolean truncate(IoSession session, Parsed parsed) throws Misuse, ToolException {
    Preallocation preallocation = Preallocations.parse(parsed.last("m"));
    if (parsed.operands().size() != 1) {
      throw new Misuse();
    }
    long length = Numbers.bytes(parsed.operands().getFirst());
    ToolImage image = DataCommands.writable(session);
    session.awaitAll();
    long before = image.length();
    image.resize(length);
    if (length > before && preallocation != Preallocation.OFF) {
      if (!(image.node() instanceof PreallocatingImage preallocating)) {
        image.resize(before);
        throw new ToolException("Unsupported preallocation mode: " + preallocation.word());
      }
      session
          .blocks()
          .control(
              () -> {
                preallocating.preallocate(before, preallocation);
                return null;
              });
    }
    return true;
  }

  private static boolean info(IoSession session, Parsed parsed) throws ToolException {
    ToolImage image = session.image();
    int clusterSize =
        image.node() instanceof DescribedImage described
            ? session.blocks().control(described::describeImage).clusterSize().orElse(0)
            : 0;
    session.output().println("format name: " + image.node().driver());
    session.output().println("cluster size: " + ByteCount.exact(clusterSize));
    session.output().println("vm state offset: 0 bytes");
    return true;
  }

  private static boolean alloc(IoSession session, Parsed parsed) throws Misuse {
    ToolImage image = session.image();
    long offset = Numbers.bytes(parsed.operands().getFirst());
    long count = parsed.operands().size() < 2 ? 512 : Numbers.bytes(parsed.operands().get(1));
    count = Math.max(0, Math.min(count, image.length() - offset));
    long sum = 0;
    for (long done = 0; done < count; ) {
      long same = image.lane().allocated(offset + done, count - done);
      sum += Math.max(0, same);
      done += Math.abs(same);
    }
    session
        .output()
        .println(
            "%d/%d bytes allocated at offset %s".formatted(sum, count, ByteCount.exact(offset)));
    return true;
  }

  private static boolean map(IoSession session, Parsed parsed) {
    ToolImage image = session.image();
    long length = image.length();
    if (length == 0) {
      session.output().println("Failed to query allocation: " + Errno.message(Errno.EINVAL));
      return false;
    }
    for (long position = 0; position < length; ) {
      long same = image.lane().allocated(position, length - position);
      long end = position + Math.abs(same);
      while (end < length) {
        long next = image.lane().allocated(end, length - end);
        if (next > 0 != same > 0) {
          break;
        }
        end += Math.abs(next);
      }
      session
          .output()
          .println(
              "%s (0x%x) bytes %s at offset %s (0x%x)"
                  .formatted(
                      ByteCount.exact(end - position),
                      end - position,
                      same > 0 ? "    allocated" : "not allocated",
                      ByteCount.exact(position),
                      position));
      position = end;
    }
    return true;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.image.PackedImage;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.io.IoCommand.Misuse;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import dev.spindle.vmm.tool.ToolRequest;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/** Commands that read and write, and wait for it. */
final class DataCommands {
  /** What is written where the user does not say. */
  private static final byte FILLING = (byte) 0xcd;

  private DataCommands() {}

  static List<IoCommand> all() {
    return List.of(
        new IoCommand(
            "read",
            "r",
            "abCl:pP:qs:v",
            2,
            -1,
            "[-abCqv] [-P pattern [-s off] [-l len]] off len",
            "reads a number of bytes at a specified offset",
            DataCommands::read),
        new IoCommand(
            "readv",
            "",
            "CP:qv",
            2,
            -1,
            "[-Cqv] [-P pattern] off len [len..]",
            "reads a number of bytes at a specified offset",
            DataCommands::readv),
        new IoCommand(
            "write",
            "w",
            "bcCfnpP:qs:uz",
            2,
            -1,
            "[-bcCfnquz] [-P pattern | -s source_file] off len",
            "writes a number of bytes at a specified offset",
            DataCommands::write),
        new IoCommand(
            "writev",
            "",
            "CfqP:",
            2,
            -1,
            "[-Cfq] [-P pattern] off len [len..]",
            "writes a number of bytes at a specified offset",
            DataCommands::writev),
        new IoCommand(
            "discard",
            "d",
            "Cq",
            2,
            -1,
            "[-Cq] off len",
            "discards a number of bytes at a specified offset",
            DataCommands::discard));
  }

  private static boolean read(IoSession session, Parsed parsed) throws Misuse {
    boolean verifies = parsed.has("P");
    byte pattern = verifies ? Numbers.pattern(parsed.last("P")) : 0;
    if (parsed.operands().size() != 2 || (!verifies && (parsed.has("s") || parsed.has("l")))) {
      throw new Misuse();
    }
    long patternLength = parsed.has("l") ? Numbers.bytes(parsed.last("l")) : -1;
    long patternStart = parsed.has("s") ? Numbers.bytes(parsed.last("s")) : 0;
    long offset = Numbers.bytes(parsed.operands().get(0));
    long length = Numbers.length(parsed.operands().get(1));
    if (patternLength < 0) {
      patternLength = length - patternStart;
    }
    if (patternStart > length || patternLength < 0 || patternLength > length - patternStart) {
      throw new Misuse("pattern verification range exceeds end of read data");
    }
    if (parsed.has("b")) {
      Numbers.checkAligned(offset, "offset");
      Numbers.checkAligned(length, "length");
      return failed(session, "read", -Errno.EOPNOTSUPP);
    }
    try (Arena arena = Arena.ofShared()) {
      MemorySegment data = memory(arena, length);
      IoReport report = new IoReport(session.output(), parsed);
      int status = session.image().read(offset, data);
      if (status < 0) {
        return failed(session, "read", status);
      }
      boolean right =
          !verifies
              || IoReport.verify(
                  session.output(), data, offset, patternStart, patternLength, pattern);
      if (parsed.has("v") && !parsed.has("q")) {
        IoReport.dump(session.output(), data, offset);
      }
      report.print("read", offset, length);
      return right;
    }
  }

  private static boolean readv(IoSession session, Parsed parsed) throws Misuse {
    boolean verifies = parsed.has("P");
    byte pattern = verifies ? Numbers.pattern(parsed.last("P")) : 0;
    Vector vector = Vector.parse(parsed.operands());
    try (Arena arena = Arena.ofShared()) {
      MemorySegment data = memory(arena, vector.total());
      IoReport report = new IoReport(session.output(), parsed);
      ToolRequest request = vector.request(Operation.READ, data);
      int status = request.send(session.image().lane()).await();
      if (status < 0) {
        return failed(session, "readv", status);
      }
      boolean right =
          !verifies
              || IoReport.verify(
                  session.output(), data, vector.offset(), 0, vector.total(), pattern);
      if (parsed.has("v") && !parsed.has("q")) {
        IoReport.dump(session.output(), data, vector.offset());
      }
      report.print("read", vector.offset(), vector.total());
      return right;
    }
  }

  private static boolean write(IoSession session, Parsed parsed) throws Misuse, ToolException {
    boolean zeroes = parsed.has("z");
    byte pattern = parsed.has("P") ? Numbers.pattern(parsed.last("P")) : FILLING;
    if (parsed.operands().size() != 2) {
      throw new Misuse();
    }
    if (parsed.has("b") && zeroes) {
      throw new Misuse("-b and -z cannot be specified at the same time");
    }
    if (parsed.has("b") && (parsed.has("c") || parsed.has("f"))) {
      throw new Misuse(
          "-b and -%s cannot be specified at the same time".formatted(parsed.has("c") ? "c" : "f"));
    }
    if (parsed.has("n") && !zeroes) {
      throw new Misuse("-n requires -z to be specified");
    }
    if (parsed.has("u") && !zeroes) {
      throw new Misuse("-u requires -z to be specified");
    }
    if ((zeroes ? 1 : 0) + (parsed.has("P") ? 1 : 0) + (parsed.has("s") ? 1 : 0) > 1) {
      throw new Misuse("Only one of -z, -P, and -s can be specified at the same time");
    }
    long offset = Numbers.bytes(parsed.operands().get(0));
    long length =
        zeroes ? Numbers.bytes(parsed.operands().get(1)) : Numbers.length(parsed.operands().get(1));
    if (parsed.has("b") || parsed.has("c")) {
      Numbers.checkAligned(offset, "offset");
      Numbers.checkAligned(length, "length");
    }
    if (!zeroes && (parsed.has("b") || (parsed.has("c") && !packs(session, offset, length)))) {
      return failed(session, "write", -Errno.EOPNOTSUPP);
    }
    ToolImage image = writable(session);
    byte[] content = parsed.has("s") ? content(session, parsed.last("s")) : null;
    if (parsed.has("s") && content == null) {
      return false;
    }
    try (Arena arena = Arena.ofShared()) {
      ToolRequest request = new ToolRequest(1);
      request.set(zeroes ? Operation.WRITE_ZEROES : Operation.WRITE, offset, length);
      int status = 0;
      if (!zeroes) {
        MemorySegment data = memory(arena, length);
        if (content != null) {
          fill(data, content);
        } else {
          data.fill(pattern);
        }
        request.with(data);
        status = image.refusal(offset, data);
      }
      request.forceUnitAccess = parsed.has("f");
      request.mayUnmap = parsed.has("u");
      request.mustBeFast = parsed.has("n");
      request.mayPack = parsed.has("c");
      IoReport report = new IoReport(session.output(), parsed);
      status = status < 0 ? status : request.send(image.lane()).await();
      if (status < 0) {
        return failed(session, "write", status);
      }
      report.print("wrote", offset, length);
      return true;
    }
  }

  /** Whether the image packs data, and a range is one that it can pack. */
  private static boolean packs(IoSession session, long offset, long length) {
    ToolImage image = session.image();
    if (!(BackingChain.image(image.node()) instanceof PackedImage packed)) {
      return false;
    }
    long mask = packed.packedBytes() - 1L;
    return (offset & mask) == 0 && ((length & mask) == 0 || offset + length == image.length());
  }

  private static boolean writev(IoSession session, Parsed parsed) throws Misuse, ToolException {
    byte pattern = parsed.has("P") ? Numbers.pattern(parsed.last("P")) : FILLING;
    Vector vector = Vector.parse(parsed.operands());
    ToolImage image = writable(session);
    try (Arena arena = Arena.ofShared()) {
      MemorySegment data = memory(arena, vector.total());
      data.fill(pattern);
      int status = image.refusal(vector.offset(), data);
      ToolRequest request = vector.request(Operation.WRITE, data);
      request.forceUnitAccess = parsed.has("f");
      IoReport report = new IoReport(session.output(), parsed);
      status = status < 0 ? status : request.send(image.lane()).await();
      if (status < 0) {
        return failed(session, "writev", status);
      }
      report.print("wrote", vector.offset(), vector.total());
      return true;
    }
  }

  private static boolean discard(IoSession session, Parsed parsed) throws Misuse, ToolException {
    if (parsed.operands().size() != 2) {
      throw new Misuse();
    }
    long offset = Numbers.bytes(parsed.operands().get(0));
    long length = Numbers.length(parsed.operands().get(1));
    IoReport report = new IoReport(session.output(), parsed);
    int status =
        new ToolRequest(1)
            .set(Operation.DISCARD, offset, length)
            .send(writable(session).lane())
            .await();
    if (status < 0) {
      return failed(session, "discard", status);
    }
    report.print("discard", offset, length);
    return true;
  }

  /** The image, if it may be written. */
  static ToolImage writable(IoSession session) throws ToolException {
    if (!session.image().wish().writable() || session.image().node().readOnly()) {
      throw new ToolException("Block node is read-only");
    }
    return session.image();
  }

  static boolean failed(IoSession session, String what, int status) {
    session.output().println(what + " failed: " + Errno.message(-status));
    return false;
  }

  /** Memory that starts on a page. */
  static MemorySegment memory(Arena arena, long length) {
    return arena.allocate(length, 4096);
  }

  /** What a file holds, or null if that cannot be had, which has been said then. */
  private static byte[] content(IoSession session, String file) {
    try {
      byte[] content = Files.readAllBytes(Path.of(file));
      if (content.length > 0) {
        return content;
      }
      session.output().errorLine(file + ": file is empty");
    } catch (NoSuchFileException e) {
      session.output().errorLine(file + ": " + Errno.message(Errno.ENOENT));
    } catch (IOException e) {
      session.output().errorLine(file + ": " + e.getMessage());
    }
    return null;
  }

  /** Fills memory with the same bytes, again and again. */
  private static void fill(MemorySegment data, byte[] content) {
    for (long done = 0; done < data.byteSize(); done += content.length) {
      long part = Math.min(content.length, data.byteSize() - done);
      MemorySegment.copy(MemorySegment.ofArray(content), 0, data, done, part);
    }
  }
}

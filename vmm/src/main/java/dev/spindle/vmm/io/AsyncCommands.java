// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.io.IoCommand.Misuse;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import dev.spindle.vmm.tool.ToolRequest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Commands that send requests and go on at once. */
final class AsyncCommands {
  private static final byte FILLING = (byte) 0xcd;

  private AsyncCommands() {}

  static List<IoCommand> all() {
    return List.of(
        new IoCommand(
            "aio_read",
            "",
            "CP:iqv",
            2,
            -1,
            "[-Ciqv] [-P pattern] off len [len..]",
            "asynchronously reads a number of bytes",
            AsyncCommands::read),
        new IoCommand(
            "aio_write",
            "",
            "CfiP:quz",
            2,
            -1,
            "[-Cfiquz] [-P pattern] off len [len..]",
            "asynchronously writes a number of bytes",
            AsyncCommands::write),
        new IoCommand(
            "aio_flush",
            "",
            "",
            0,
            0,
            "",
            "completes all outstanding aio requests",
            (session, parsed) -> {
              session.awaitAll();
              session.image().flush();
              return true;
            }));
  }

  private static boolean read(IoSession session, Parsed parsed) throws Misuse {
    boolean verifies = parsed.has("P");
    byte pattern = verifies ? Numbers.pattern(parsed.last("P")) : 0;
    if (parsed.has("i")) {
      session.output().println("injecting invalid read request");
      return true;
    }
    Vector vector = Vector.parse(parsed.operands());
    MemorySegment data = DataCommands.memory(Arena.ofAuto(), vector.total());
    ToolRequest request = vector.request(Operation.READ, data);
    IoReport report = new IoReport(session.output(), parsed);
    request.then(
        () -> {
          if (request.result() < 0) {
            session.output().println("readv failed: " + Errno.message(-request.result()));
          } else {
            if (verifies) {
              IoReport.verify(session.output(), data, vector.offset(), 0, vector.total(), pattern);
            }
            if (parsed.has("v") && !parsed.has("q")) {
              IoReport.dump(session.output(), data, vector.offset());
            }
            report.print("read", vector.offset(), vector.total());
          }
          session.ended();
        });
    session.sent();
    request.send(session.image().lane());
    return true;
  }

  private static boolean write(IoSession session, Parsed parsed) throws Misuse, ToolException {
    boolean zeroes = parsed.has("z");
    byte pattern = parsed.has("P") ? Numbers.pattern(parsed.last("P")) : FILLING;
    if (parsed.has("i")) {
      session.output().println("injecting invalid write request");
      return true;
    }
    if (parsed.operands().size() < 2) {
      throw new Misuse();
    }
    if (zeroes && parsed.operands().size() != 2) {
      throw new Misuse("-z supports only a single length parameter");
    }
    if (parsed.has("u") && !zeroes) {
      throw new Misuse("-u requires -z to be specified");
    }
    if (zeroes && parsed.has("P")) {
      throw new Misuse("-z and -P cannot be specified at the same time");
    }
    Vector vector = Vector.parse(parsed.operands());
    ToolImage image = DataCommands.writable(session);
    ToolRequest request;
    int refusal = 0;
    if (zeroes) {
      request = new ToolRequest(1).set(Operation.WRITE_ZEROES, vector.offset(), vector.total());
      request.mayUnmap = parsed.has("u");
    } else {
      MemorySegment data = DataCommands.memory(Arena.ofAuto(), vector.total());
      data.fill(pattern);
      request = vector.request(Operation.WRITE, data);
      refusal = image.refusal(vector.offset(), data);
    }
    request.forceUnitAccess = parsed.has("f");
    if (refusal < 0) {
      DataCommands.failed(session, "aio_write", refusal);
      return true;
    }
    IoReport report = new IoReport(session.output(), parsed);
    request.then(
        () -> {
          if (request.result() < 0) {
            DataCommands.failed(session, "aio_write", request.result());
          } else {
            report.print("wrote", vector.offset(), vector.total());
          }
          session.ended();
        });
    session.sent();
    request.send(image.lane());
    return true;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.Breakpoints;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import java.util.List;
import java.util.Locale;

/** Commands that suspend requests in a {@code blkdebug} node. */
final class BreakCommands {
  private BreakCommands() {}

  static List<IoCommand> all() {
    return List.of(
        new IoCommand(
            "break",
            "",
            "",
            2,
            2,
            "event tag",
            "sets a breakpoint on event and tags the stopped request as tag",
            BreakCommands::breakOn),
        new IoCommand(
            "remove_break",
            "",
            "",
            1,
            1,
            "tag",
            "remove a breakpoint by tag",
            BreakCommands::removeBreak),
        new IoCommand(
            "resume",
            "",
            "",
            1,
            1,
            "tag",
            "resumes the request tagged as tag",
            BreakCommands::resume),
        new IoCommand(
            "wait_break",
            "",
            "",
            1,
            1,
            "tag",
            "waits for the suspension of a request",
            BreakCommands::waitBreak));
  }

  /** Those of the image, or null if nothing below it has any. */
  private static Breakpoints breakpoints(IoSession session) throws ToolException {
    return session
        .blocks()
        .control(
            () -> {
              try {
                return Breakpoints.of(session.image().node());
              } catch (BlockException e) {
                return null;
              }
            });
  }

  private static boolean failed(IoSession session, String what, int errno) {
    session.output().println(what + ": " + Errno.message(errno));
    return false;
  }

  private static boolean breakOn(IoSession session, Parsed parsed) throws ToolException {
    Breakpoints breakpoints = breakpoints(session);
    String tag = parsed.operands().get(1);
    if (breakpoints == null) {
      return failed(session, "Could not set breakpoint", Errno.EOPNOTSUPP);
    }
    BlkdebugEvent event;
    try {
      event = BlkdebugEvent.valueOf(parsed.operands().getFirst().toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      return failed(session, "Could not set breakpoint", Errno.ENOENT);
    }
    breakpoints.breakOn(event, tag);
    session.tagged(tag);
    return true;
  }

  private static boolean removeBreak(IoSession session, Parsed parsed) throws ToolException {
    String tag = parsed.operands().getFirst();
    String what = "Could not remove breakpoint " + tag;
    Breakpoints breakpoints = breakpoints(session);
    if (breakpoints == null) {
      return failed(session, what, Errno.EOPNOTSUPP);
    }
    try {
      breakpoints.removeBreak(tag);
      return true;
    } catch (BlockException e) {
      return failed(session, what, Errno.ENOENT);
    }
  }

  private static boolean resume(IoSession session, Parsed parsed) throws ToolException {
    String tag = parsed.operands().getFirst();
    Breakpoints breakpoints = breakpoints(session);
    if (breakpoints == null) {
      return failed(session, "Could not resume request", Errno.EOPNOTSUPP);
    }
    session.tellSuspended(breakpoints);
    if (breakpoints.isSuspended(tag)) {
      session.output().println("blkdebug: Resuming request '" + tag + "'");
    }
    try {
      breakpoints.resume(tag);
    } catch (BlockException e) {
      return failed(session, "Could not resume request", Errno.ENOENT);
    }
    session.resumed(tag);
    return true;
  }

  private static boolean waitBreak(IoSession session, Parsed parsed) throws ToolException {
    Breakpoints breakpoints = breakpoints(session);
    if (breakpoints == null) {
      // Nothing will ever be suspended, and waiting for ever helps nobody.
      throw new ToolException("the image has no blkdebug node to wait for");
    }
    breakpoints.awaitSuspended(parsed.operands().getFirst());
    session.tellSuspended(breakpoints);
    return true;
  }
}

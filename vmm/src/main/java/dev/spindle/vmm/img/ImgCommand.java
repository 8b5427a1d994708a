// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.ToolException;
import java.util.List;

/** One of {@code img}'s commands. */
@FunctionalInterface
interface ImgCommand {
  /**
   * Runs it. On a thread of its own.
   *
   * @param arguments those after the command's name
   * @return the exit status
   * @throws ToolException what to tell the user; the exit status is 1 then
   */
  int run(ImgSession session, List<String> arguments) throws ToolException;
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.job.ErrorAction;
import dev.spindle.block.job.ErrorPolicy;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * What a disk does when its I/O fails: QEMU's {@code rerror} and {@code werror}.
 *
 * @param reads policy for reads
 * @param writes policy for all else, flushes included
 */
public record ErrorPolicies(ErrorPolicy reads, ErrorPolicy writes) {
  /** The guest is told of each. */
  public static final ErrorPolicies REPORT =
      new ErrorPolicies(ErrorPolicy.REPORT, ErrorPolicy.REPORT);

  /** Takes them out of what the user gave; {@code auto} is what QEMU makes of it. */
  static ErrorPolicies from(Options options) throws OptionException {
    String reads = options.choice("rerror", "auto", "auto", "report", "ignore", "stop");
    String writes = options.choice("werror", "auto", "auto", "report", "ignore", "stop", "enospc");
    return new ErrorPolicies(policy(reads, ErrorPolicy.REPORT), policy(writes, ErrorPolicy.ENOSPC));
  }

  private static ErrorPolicy policy(String word, ErrorPolicy auto) {
    return switch (word) {
      case "report" -> ErrorPolicy.REPORT;
      case "ignore" -> ErrorPolicy.IGNORE;
      case "stop" -> ErrorPolicy.STOP;
      case "enospc" -> ErrorPolicy.ENOSPC;
      default -> auto;
    };
  }

  /**
   * What that means for one error.
   *
   * @param errno positive
   */
  ErrorAction action(Operation operation, int errno) {
    return (operation == Operation.READ ? reads : writes).action(errno);
  }
}

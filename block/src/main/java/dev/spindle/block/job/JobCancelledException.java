// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.graph.BlockException;
import dev.spindle.linux.Errno;

/** Takes a job's work out of its middle when it has been cancelled. */
public final class JobCancelledException extends BlockException {
  private static final long serialVersionUID = 1;

  JobCancelledException() {
    super(Errno.message(Errno.ECANCELED));
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.create;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.JobCancelledException;

/** How an image of one kind is made. */
public interface ImageCreation {
  /** Tells the job how far it is. */
  interface Steps {
    /** So many bytes are to be written, or allocated. */
    void total(long bytes);

    /**
     * So many are done. A pause point.
     *
     * @throws JobCancelledException if the job has been cancelled
     */
    void done(long bytes) throws JobCancelledException;
  }

  /**
   * Makes it. Straight-line code of {@code context}.
   *
   * @throws BlockException why it cannot be made, or the job's cancellation; what was not there
   *     before is not there then
   */
  void create(AioContext context, Steps steps) throws BlockException;
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.create;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.file.FileCreation;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.JobCancelledException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** How an image of one kind is made. */
public interface ImageCreation {
  /** Tells the job how far it is. */
  interface Steps {
    /** For who does not want to know. */
    Steps IGNORED =
        new Steps() {
          @Override
          public void total(long bytes) {}

          @Override
          public void done(long bytes) {}
        };

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
   * How to make the file that the options describe.
   *
   * @param options {@code driver}, and what that takes
   * @throws BlockException if the driver is another than {@code file}
   * @throws OptionException if the description is wrong
   */
  static ImageCreation of(Options options) throws BlockException, OptionException {
    String driver = options.require("driver");
    if (!driver.equals("file")) {
      throw new BlockException("Driver '" + driver + "' does not support image creation");
    }
    ImageCreation creation = FileCreation.from(options);
    options.finish();
    return creation;
  }

  /**
   * Makes it. Straight-line code of {@code context}.
   *
   * @throws BlockException why it cannot be made, or the job's cancellation; what was not there
   *     before is not there then
   */
  void create(AioContext context, Steps steps) throws BlockException;
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.create;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.file.FileCreation;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.JobCancelledException;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** Makes an image (QAPI's blockdev-create). It holds no node, and works in the main loop. */
public final class CreateJob extends JobDriver {
  private final ImageCreation creation;
  private AioContext context;

  private CreateJob(ImageCreation creation) {
    this.creation = creation;
  }

  /**
   * A job that makes what the options describe.
   *
   * @param options {@code driver}, and what that takes
   * @throws BlockException if there is no such driver, or it cannot create images
   * @throws OptionException if the description is wrong
   */
  public static CreateJob of(Options options) throws BlockException, OptionException {
    String driver = options.require("driver");
    if (!driver.equals("file")) {
      throw new BlockException("Driver '" + driver + "' does not support image creation");
    }
    ImageCreation creation = FileCreation.from(options);
    options.finish();
    return new CreateJob(creation);
  }

  @Override
  protected String type() {
    return "create";
  }

  @Override
  protected void open() {
    context = context();
  }

  @Override
  protected void run() throws BlockException {
    creation.create(
        context,
        new ImageCreation.Steps() {
          @Override
          public void total(long bytes) {
            remaining(bytes);
          }

          @Override
          public void done(long bytes) throws JobCancelledException {
            progress(bytes);
            limit(bytes);
          }
        });
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.create;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.file.FileCreation;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.job.JobCancelledException;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * Makes an image (QAPI's blockdev-create): a file, or an image of some format in a node. The file
 * is made in the main loop; what a format writes is little, and is written when the job ends, as
 * control work.
 */
public final class CreateJob extends JobDriver {
  private final ImageCreation creation;

  /** Null for a file. */
  private final FormatCreation format;

  private AioContext context;

  private CreateJob(ImageCreation creation, FormatCreation format) {
    this.creation = creation;
    this.format = format;
  }

  /**
   * A job that makes what the options describe.
   *
   * @param graph where {@code file} is looked up or opened
   * @param options {@code driver}, and what that takes
   * @throws BlockException if there is no such driver, or it cannot create images
   * @throws OptionException if the description is wrong
   */
  public static CreateJob of(BlockGraph graph, Options options)
      throws BlockException, OptionException {
    String driver = options.require("driver");
    if (driver.equals("file")) {
      ImageCreation creation = FileCreation.from(options);
      options.finish();
      return new CreateJob(creation, null);
    }
    ImageCreator creator = ImageCreator.load().get(driver);
    if (creator == null) {
      throw new BlockException("Driver '" + driver + "' does not support image creation");
    }
    FormatCreation format = FormatCreation.from(graph, creator, options);
    options.finish();
    return new CreateJob((anywhere, steps) -> {}, format);
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

  @Override
  protected void prepare() throws BlockException {
    if (format != null) {
      format.create();
    }
  }
}

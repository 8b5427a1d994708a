// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.job.create.ImageCreation;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.List;

/** For a format's {@link dev.spindle.block.graph.BlockDriver}: new images of the format. */
public interface ImageFormat {
  /**
   * What {@code img create -o} takes, in the order in which it is told; {@code size}, {@code
   * backing_file} and {@code backing_fmt} among it where the format has them.
   */
  List<CreateOption> createOptions();

  /**
   * A new image in a node that is there.
   *
   * @param graph where {@code file} is looked up
   * @param options QAPI's for the format (BlockdevCreateOptions…): {@code file}, the name of a node
   *     that may be written and resized and whose content is lost; {@code size}, and the format's.
   *     The caller refuses what is left
   * @throws BlockException if there is no such node
   * @throws OptionException if the description is wrong
   */
  ImageCreation creation(BlockGraph graph, Options options) throws BlockException, OptionException;
}

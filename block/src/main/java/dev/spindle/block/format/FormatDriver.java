// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * A driver for an image format that goes by {@link Image}: takes {@code file}, {@code read-only},
 * and {@code backing} if the format has backing files. {@code read-only=on} holds for a file that
 * is described with its format, unless that says otherwise.
 */
public abstract class FormatDriver implements BlockDriver {
  /** Opens images. */
  @FunctionalInterface
  public interface Opener {
    /**
     * Opens an image, straight-line code on the control side.
     *
     * @throws BlockException a sentence on why it cannot be, or is not to be trusted
     * @throws OptionException if what the user said does not fit the image
     */
    Image open(ImageOpening opening) throws BlockException, OptionException;
  }

  private final String name;
  private final boolean writes;
  private final boolean hasBacking;

  /**
   * Describes the format.
   *
   * @param name in {@code driver=…}
   * @param writes whether some images of the format can be written
   * @param hasBacking whether images of the format may have backing files
   */
  protected FormatDriver(String name, boolean writes, boolean hasBacking) {
    this.name = name;
    this.writes = writes;
    this.hasBacking = hasBacking;
  }

  @Override
  public final String name() {
    return name;
  }

  @Override
  public final Description read(Options options) throws OptionException {
    options.inherit("file", "read-only");
    String[] fixed = fixedOptions();
    OpeningOptions opening = OpeningOptions.of(options, fixed);
    ChildOption file = ChildOption.take("file", options);
    BackingOption backing = hasBacking ? BackingOption.take(options) : null;
    Opener opener = read(options, opening);
    return (graph, nodeName) -> {
      BlockNode child = file.open(graph, nodeName);
      AioContext context = graph.mainContext();
      FormatNode node =
          isChecked()
              ? new CheckableFormatNode(nodeName, name, child, context, opening, writes)
              : new FormatNode(nodeName, name, child, context, opening, writes);
      node.open(graph, opener, backing);
      return node;
    };
  }

  /** Whether there is something to check: see {@link Image#check}. */
  protected boolean isChecked() {
    return false;
  }

  /** The options of the format's own, which reopening does not change. */
  protected String[] fixedOptions() {
    return new String[0];
  }

  /**
   * Takes the format's own options.
   *
   * @param opening those that have been taken
   */
  protected abstract Opener read(Options options, OpeningOptions opening) throws OptionException;
}

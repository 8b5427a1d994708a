// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.image.MeasuredSource;
import dev.spindle.block.image.Measurement;
import dev.spindle.block.object.UserObjects;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** Makes new images of a format, as QAPI's BlockdevCreateOptions has them. Stateless. */
public interface ImageCreator {
  /** Finds them all, by the name of their driver. */
  static Map<String, ImageCreator> load() {
    Map<String, ImageCreator> creators = new TreeMap<>();
    for (ImageCreator creator : ServiceLoader.load(ImageCreator.class)) {
      creators.put(creator.driver(), creator);
    }
    return creators;
  }

  /** The name in {@code driver=…}. */
  String driver();

  /**
   * The options that {@code img create -o} takes for the format, each with the words for it that
   * {@link #read} knows.
   */
  default List<CreateOption> toolOptions() {
    return List.of();
  }

  /**
   * Reads what is wanted of a new image, all but {@code driver} and {@code file}; makes nothing.
   *
   * @param options of which the creator takes what it knows; the caller refuses what is left
   * @throws OptionException if an option is missing or has no such value
   */
  NewImage read(Options options) throws OptionException;

  /**
   * Says how large an image's file would be.
   *
   * @param options as for {@link #read}
   * @param source what it is to hold; empty for nothing
   * @throws OptionException as {@link #read}
   * @throws BlockException if nobody can say that for the format, or there cannot be such an image
   */
  default Measurement measure(Options options, Optional<MeasuredSource> source)
      throws OptionException, BlockException {
    throw new BlockException("Block driver '" + driver() + "' does not support size measurement");
  }

  /** What a new image consists of. */
  @FunctionalInterface
  interface NewImage {
    /**
     * Writes it. Straight-line code.
     *
     * @param file empty, and nobody else's
     * @param objects what options may have named
     * @throws BlockException if the image cannot be
     */
    void write(ImageFile file, UserObjects objects) throws BlockException;
  }

  /**
   * Takes {@code size}, which must be given.
   *
   * @return in bytes, rounded up to whole sectors
   */
  static long takeSize(Options options) throws OptionException {
    if (options.peek("size").isEmpty() && !options.isNoting()) {
      throw options.missing("size");
    }
    long size = options.size("size", 0);
    if (size > Long.MAX_VALUE - 511) {
      throw new OptionException(options.owner() + ": parameter 'size' is too large");
    }
    return (size + 511) & -512;
  }
}

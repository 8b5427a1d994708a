// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.format.NamedFile;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The {@code data-file} option: the node with the guest's clusters of an image that has them in
 * another file. Not given, the file that the image names is opened.
 */
final class DataFileOption {
  /** The name of the option, of the link, and of the nodes opened for it. */
  static final String NAME = "data-file";

  /** Null if it is not given. */
  private final ChildOption given;

  private DataFileOption(ChildOption given) {
    this.given = given;
  }

  /** Takes the option, be it given or not. */
  static DataFileOption take(Options options) throws OptionException {
    if (options.isNoting()) {
      options.optionalNodeName(NAME);
      options.nested(NAME);
      return new DataFileOption(null);
    }
    return new DataFileOption(
        options.peekAll(NAME).isEmpty() ? null : ChildOption.take(NAME, options));
  }

  /**
   * Finds or opens the node. Control side; may wait.
   *
   * @param parent the name of the image's node
   * @param file with the image's tables
   * @param readOnly whether a file that is opened here is
   * @return empty if the image has its clusters itself, or only its header is to be looked at
   * @throws BlockException if it cannot be opened, or is not to be by the image's word alone
   */
  Optional<BlockNode> open(
      BlockGraph graph,
      String parent,
      BlockNode file,
      Qcow2Header header,
      boolean readOnly,
      boolean discard)
      throws BlockException, OptionException {
    if (!header.has(Features.DATA_FILE)) {
      if (given != null) {
        throw new BlockException(
            "'data-file' can only be set for images with an external data file");
      }
      return Optional.empty();
    }
    if (given == null && graph.isForDescribing()) {
      return Optional.empty();
    }
    BlockNode data =
        given != null
            ? given.open(graph, parent)
            : openNamed(graph, parent, file, header, readOnly, discard);
    if (data == file) {
      throw new BlockException(
          "Node '%s' cannot have node '%s' as its file and its data file"
              .formatted(parent, file.name()));
    }
    return Optional.of(data);
  }

  /** Guests write there: it has to be a plain file, and another one. */
  private static BlockNode openNamed(
      BlockGraph graph,
      String parent,
      BlockNode file,
      Qcow2Header header,
      boolean readOnly,
      boolean discard)
      throws BlockException, OptionException {
    String named =
        header
            .text(HeaderExtension.DATA_FILE)
            .filter(text -> !text.isEmpty())
            .orElseThrow(() -> new BlockException("'data-file' is required for this image"));
    Path path = NamedFile.resolve(file, named, "data file", NAME);
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw new BlockException(
          "The data file '%s' that the image of node '%s' names is not a regular file: give it with data-file.driver=…"
              .formatted(path, parent));
    }
    if (file.localFile().filter(image -> NamedFile.isSame(image, path)).isPresent()) {
      throw new BlockException(
          "The image of node '%s' names itself as its data file".formatted(parent));
    }
    Map<String, String> description = new LinkedHashMap<>();
    description.put("driver", "file");
    description.put("filename", path.toString());
    description.put("read-only", readOnly ? "on" : "off");
    description.put("discard", discard ? "unmap" : "ignore");
    try {
      return ChildOption.described(
              NAME, new Options("data file of node '" + parent + "'", description))
          .open(graph, parent);
    } catch (BlockException e) {
      throw new BlockException(
          "Could not open data file '%s' of node '%s': %s".formatted(path, parent, e.getMessage()),
          e);
    }
  }
}

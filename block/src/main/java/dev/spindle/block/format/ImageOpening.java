// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** What an image has at hand while it is opened. Control side. */
public final class ImageOpening {
  private final BlockGraph graph;
  private final FormatNode node;
  private final BlockNode file;
  private final ControlFiles files;

  ImageOpening(BlockGraph graph, FormatNode node, BlockNode file, ControlFiles files) {
    this.graph = graph;
    this.node = node;
    this.file = file;
    this.files = files;
  }

  /** The node's name, for errors. */
  public String nodeName() {
    return node.name();
  }

  /** Whether the user wants no writes, or the file takes none. */
  public boolean readOnly() {
    return node.readOnly();
  }

  /** The image's files, as far as they are open; it changes with {@link #openFile}. */
  public ImageIo io() {
    return files.io();
  }

  /** The image's own file. */
  public ImageFile file() {
    return io().file();
  }

  /**
   * Opens another file in which the image keeps data, beside the image's own.
   *
   * @param child the name of the link
   * @param name of the file, in the folder of the image: no path
   * @return its number in {@link ImageIo#file(int)}
   * @throws BlockException if the name leads elsewhere, or the file cannot be opened
   */
  public int openFile(String child, String name) throws BlockException, OptionException {
    Path image =
        file.localFile()
            .orElseThrow(
                () ->
                    new BlockException(
                        "Cannot tell where '%s' is: node '%s' is no file of this host"
                            .formatted(name, file.name())));
    if (name.isEmpty() || name.contains("/") || name.contains("\\") || name.startsWith("..")) {
      throw new BlockException(
          "The image of node '%s' keeps data in '%s', which is not in its own folder"
              .formatted(node.name(), name));
    }
    Map<String, String> description = new LinkedHashMap<>();
    description.put("driver", "file");
    description.put("filename", image.resolveSibling(name).toString());
    description.put("read-only", node.readOnly() ? "on" : "off");
    Options options = new Options("file of node '" + node.name() + "'", description);
    BlockNode opened = ChildOption.described(child, options).open(graph, node.name());
    int index = node.attachFile(child, opened);
    files.add(opened);
    return index;
  }
}

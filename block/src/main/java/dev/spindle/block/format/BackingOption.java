// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The {@code backing} option of a format: {@code backing=NODE} or {@code backing.driver=…} for a
 * node, an empty value (JSON's null) for none; not given, what the image names is opened,
 * read-only, with the format that is recorded. Without a recorded format it is refused: what a
 * guest can write must not decide how it is read.
 */
public final class BackingOption {
  /** The longest chain that images' own names may lead through. */
  public static final int MOST_IMAGES = 256;

  /** The name of the option, of the link, and of the nodes opened for it. */
  public static final String NAME = "backing";

  /** The files of the images that are being opened above, the top one first. */
  private static final ScopedValue<List<Path>> ABOVE = ScopedValue.newInstance();

  private enum Kind {
    FROM_IMAGE,
    NONE,
    GIVEN
  }

  private final Kind kind;
  private final ChildOption given;

  private BackingOption(Kind kind, ChildOption given) {
    this.kind = kind;
    this.given = given;
  }

  /** Takes the option, be it given or not. */
  public static BackingOption take(Options options) throws OptionException {
    if (options.isNoting()) {
      options.optionalNodeName(NAME);
      options.nested(NAME);
      return new BackingOption(Kind.FROM_IMAGE, null);
    }
    if (options.peek(NAME).filter(String::isEmpty).isPresent()) {
      options.any(NAME);
      options.nested(NAME).finish();
      return new BackingOption(Kind.NONE, null);
    }
    if (options.peekAll(NAME).isEmpty()) {
      return new BackingOption(Kind.FROM_IMAGE, null);
    }
    return new BackingOption(Kind.GIVEN, ChildOption.take(NAME, options));
  }

  /** Whether a node is given, or none is wanted, so that the image's own word does not count. */
  public boolean overridesImage() {
    return kind != Kind.FROM_IMAGE;
  }

  /**
   * Finds or opens the backing node. Control side; may wait.
   *
   * @param parent the name of the overlay's node
   * @param file what holds the overlay
   * @param named what the overlay's image says
   * @return empty if there is to be none
   * @throws BlockException if it cannot be opened, or the image's own name leads in a circle
   */
  public Optional<BlockNode> open(
      BlockGraph graph, String parent, BlockNode file, Optional<BackingName> named)
      throws BlockException, OptionException {
    return switch (kind) {
      case NONE -> Optional.empty();
      case GIVEN -> Optional.of(given.open(graph, parent));
      case FROM_IMAGE ->
          named.isEmpty()
              ? Optional.empty()
              : Optional.of(openNamed(graph, parent, file, named.get()));
    };
  }

  /**
   * Has a node back onto another with a change of links, as its option says when it is reopened.
   *
   * @param wanted the name of a node, empty for none
   * @throws BlockException if there is no such node
   */
  public static void change(BlockNode node, String wanted, BlockGraph graph, GraphChange links)
      throws BlockException {
    BlockNode next = wanted.isEmpty() ? null : graph.find(wanted);
    Optional<BlockEdge> backing = BackingChain.backing(node);
    if (backing.map(BlockEdge::node).orElse(null) == next) {
      return;
    }
    backing.ifPresent(links::detach);
    if (next != null) {
      links.attach(node, NAME, ChildRole.BACKING, next);
    }
  }

  private static BlockNode openNamed(
      BlockGraph graph, String parent, BlockNode file, BackingName named)
      throws BlockException, OptionException {
    Path path = NamedFile.resolve(file, named.file(), "backing file", NAME);
    String format =
        named
            .format()
            .orElseThrow(
                () ->
                    new BlockException(
                        "The image of node '%s' names the backing file '%s' without its format: give it with backing.driver=…"
                            .formatted(parent, named.file())));
    List<Path> above = new ArrayList<>(ABOVE.isBound() ? ABOVE.get() : List.of());
    file.localFile().ifPresent(above::add);
    checkNew(path, above, parent);
    ChildOption child = ChildOption.described(NAME, describe(parent, format, path));
    try {
      return ScopedValue.where(ABOVE, above).call(() -> openThere(child, graph, parent));
    } catch (BlockException e) {
      throw new BlockException(
          "Could not open backing file '%s' of node '%s': %s"
              .formatted(path, parent, e.getMessage()),
          e);
    }
  }

  /** Gives the compiler one exception type, since a scoped call has room for one. */
  private static BlockNode openThere(ChildOption child, BlockGraph graph, String parent)
      throws BlockException {
    try {
      return child.open(graph, parent);
    } catch (OptionException e) {
      throw new BlockException(e.getMessage(), e);
    }
  }

  private static Options describe(String parent, String format, Path path) {
    Map<String, String> description = new LinkedHashMap<>();
    description.put("driver", format);
    description.put("read-only", "on");
    description.put("file.driver", "file");
    description.put("file.filename", path.toString());
    description.put("file.read-only", "on");
    return new Options("backing file of node '" + parent + "'", description);
  }

  private static void checkNew(Path path, List<Path> above, String parent) throws BlockException {
    if (above.size() >= MOST_IMAGES) {
      throw new BlockException(
          "The backing chain has more than " + MOST_IMAGES + " images at node '" + parent + "'");
    }
    for (Path one : above) {
      if (NamedFile.isSame(one, path)) {
        throw new BlockException(
            "The backing chain comes back to '%s', and would never end".formatted(path));
      }
    }
  }
}

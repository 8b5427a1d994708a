// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.format.BackingOption;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.CacheUse;
import dev.spindle.block.image.CreateOption;
import dev.spindle.block.job.create.NewImageFile;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * An overlay in a file of this host, opened to cover a node (QAPI's blockdev-snapshot-sync): as the
 * node is, read only or not, and with its use of the host's page cache. Control side.
 */
public final class OverlayFile {
  private static final String OWNER = "blockdev-snapshot-sync";

  /** Where the image comes from: QAPI's NewImageMode. */
  public enum Mode {
    /** It is there already. */
    EXISTING,
    /** It is made, and names its backing file by an absolute path. */
    ABSOLUTE_PATHS
  }

  /**
   * What users say of it.
   *
   * @param file its path
   * @param nodeName of the node that shows it; one is made up if it is not given
   * @param format the name of its driver
   */
  public record Wish(Path file, Optional<String> nodeName, String format, Mode mode) {}

  private final BlockGraph graph;
  private final BlockNode node;
  private final Optional<Path> made;

  private OverlayFile(BlockGraph graph, BlockNode node, Optional<Path> made) {
    this.graph = graph;
    this.node = node;
    this.made = made;
  }

  /**
   * Makes the file, if it is to be made, and opens it; waits.
   *
   * @param covered the node that it is for, which does not change by this
   * @throws BlockException if that is not possible; no new file is left, and no node, then
   */
  public static OverlayFile open(BlockGraph graph, BlockNode covered, Wish wish)
      throws BlockException, OptionException {
    BlockDriver driver = graph.drivers().get(wish.format());
    if (driver == null) {
      throw new BlockException("Unknown file format '%s'".formatted(wish.format()));
    }
    if (!takesBacking(driver)) {
      throw new BlockException(
          "Backing file not supported for file format '%s'".formatted(wish.format()));
    }
    if (wish.nodeName().isPresent()) {
      graph.newName(wish.nodeName());
    }
    boolean isNew = wish.mode() == Mode.ABSOLUTE_PATHS && make(graph, covered, wish);
    try {
      BlockNode node = graph.open(new Options(OWNER, description(covered, wish)));
      return new OverlayFile(graph, node, isNew ? Optional.of(wish.file()) : Optional.empty());
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      if (isNew) {
        NewImageFile.delete(wish.file(), e);
      }
      throw e;
    }
  }

  private static boolean takesBacking(BlockDriver driver) {
    return OptionList.of(driver::read).stream()
        .map(OptionList.Entry::key)
        .anyMatch(
            key -> key.equals(BackingOption.NAME) || key.startsWith(BackingOption.NAME + "."));
  }

  private static boolean make(BlockGraph graph, BlockNode covered, Wish wish)
      throws BlockException, OptionException {
    ImageCreator creator = ImageCreator.load().get(wish.format());
    if (creator == null) {
      throw new BlockException(
          "Format driver '%s' does not support image creation".formatted(wish.format()));
    }
    BackingName backing = BackingNames.absolute(covered);
    Map<String, String> words = new LinkedHashMap<>();
    words.put("size", Long.toString(covered.length()));
    words.putAll(words(creator, "backing_file", backing.file()));
    words.putAll(words(creator, "backing_fmt", backing.format().orElseThrow()));
    Options options = new Options(OWNER, words);
    ImageCreator.NewImage image = creator.read(options);
    options.finish();
    return NewImageFile.make(graph, wish.file(), wish.format(), image);
  }

  private static Map<String, String> words(ImageCreator creator, String option, String value)
      throws BlockException {
    for (CreateOption known : creator.toolOptions()) {
      if (known.name().equals(option)) {
        return known.words().of(value);
      }
    }
    throw new BlockException(
        "New images of format '%s' cannot have a backing file".formatted(creator.driver()));
  }

  private static Map<String, String> description(BlockNode covered, Wish wish) {
    Map<String, String> options = new LinkedHashMap<>();
    options.put("driver", wish.format());
    wish.nodeName().ifPresent(name -> options.put("node-name", name));
    options.put(BackingOption.NAME, "");
    options.put("file.driver", "file");
    options.put("file.filename", wish.file().toString());
    CacheUse cache = covered.cacheUse();
    options.put("file.cache.direct", cache.direct() ? "on" : "off");
    options.put("file.cache.no-flush", cache.noFlush() ? "on" : "off");
    if (covered.readOnly()) {
      options.put("read-only", "on");
    }
    return options;
  }

  /** What shows the image. */
  public BlockNode node() {
    return node;
  }

  /**
   * Closes it, for it has come to cover nothing, and takes the file away if it was made.
   *
   * @param reason why; it keeps what goes wrong
   */
  public void drop(Throwable reason) {
    List<BlockNode> below = node.children().stream().map(BlockEdge::node).toList();
    try {
      graph.close(node);
      below.forEach(graph::closeUnused);
    } catch (BlockException e) {
      reason.addSuppressed(e);
      return;
    }
    made.ifPresent(file -> NewImageFile.delete(file, reason));
  }
}

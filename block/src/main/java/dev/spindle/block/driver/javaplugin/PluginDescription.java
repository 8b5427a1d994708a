// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskFilter;
import java.util.Optional;

/** A plugin that has taken its options and can be opened. */
final class PluginDescription implements BlockDriver.Description {
  private final String driver;
  private final LoadedPlugin loaded;
  private final OpeningOptions opening;

  /** Only for a filter. */
  private final Optional<ChildOption> child;

  private PluginDescription(
      String driver, LoadedPlugin loaded, OpeningOptions opening, Optional<ChildOption> child) {
    this.driver = driver;
    this.loaded = loaded;
    this.opening = opening;
    this.child = child;
  }

  /** What a node is opened with cannot change, but for {@code read-only}, which this takes. */
  static OpeningOptions opening(Options options) throws OptionException {
    return OpeningOptions.of(
        options,
        options.peekAll().keySet().stream()
            .filter(key -> !key.equals("read-only"))
            .toArray(String[]::new));
  }

  /**
   * Has a plugin take its options, all of them: whatever is left is refused here, while its classes
   * can still be forgotten.
   */
  static PluginDescription read(
      String driver, LoadedPlugin loaded, OpeningOptions opening, Options options)
      throws BlockException, OptionException {
    try {
      Optional<ChildOption> child =
          loaded.plugin() instanceof DiskFilter
              ? Optional.of(ChildOption.take("file", options))
              : Optional.empty();
      loaded.configure(options);
      options.finish();
      return new PluginDescription(driver, loaded, opening, child);
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      loaded.forget();
      throw e;
    }
  }

  @Override
  public BlockNode open(BlockGraph graph, String nodeName) throws BlockException, OptionException {
    OpenPlugin open;
    BlockNode file;
    try {
      file = child.isPresent() ? child.get().open(graph, nodeName) : null;
      long next = file == null ? 0 : file.length();
      open = loaded.open(() -> OpenPlugin.of(loaded.plugin(), next, nodeName));
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      loaded.forget();
      throw e;
    }
    try {
      return file == null
          ? new PluginNode(nodeName, driver, graph.mainContext(), open, loaded, opening)
          : new PluginNode(nodeName, driver, file, open, loaded, opening);
    } catch (BlockException | RuntimeException | Error e) {
      loaded.close();
      throw e;
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.List;
import java.util.Optional;

/**
 * {@code driver=java}: a plugin out of {@code source}, a file that is compiled in memory, or out of
 * {@code jar}; {@code class} says which one. The plugin takes the other options.
 */
public final class JavaDriver implements BlockDriver {
  @Override
  public String name() {
    return "java";
  }

  @Override
  public List<BlockDriver> more() {
    return ServiceDriver.find();
  }

  @Override
  public Description read(Options options) throws BlockException, OptionException {
    OpeningOptions opening = PluginDescription.opening(options);
    Optional<String> source = options.string("source");
    Optional<String> className = options.string("class");
    Optional<String> jars = options.string("jar");
    if (options.isNoting()) {
      return note(options, opening);
    }
    if (source.isEmpty() && className.isEmpty() && jars.isEmpty()) {
      throw options.missing("source");
    }
    return PluginDescription.read(name(), load(source, className, jars), opening, options);
  }

  private static LoadedPlugin load(
      Optional<String> source, Optional<String> className, Optional<String> jars)
      throws BlockException {
    PluginLoader loader = PluginLoader.of(source, className, jars);
    return OwnThread.<LoadedPlugin, BlockException>call("load-plugin", loader::load);
  }

  /** Help: a plugin that is named tells its options too. */
  private Description note(Options options, OpeningOptions opening)
      throws BlockException, OptionException {
    Optional<String> source = options.givenWithHelp("source");
    Optional<String> className = options.givenWithHelp("class");
    Optional<String> jars = options.givenWithHelp("jar");
    if (source.isPresent() || className.isPresent() || jars.isPresent()) {
      LoadedPlugin loaded = load(source, className, jars);
      try {
        return PluginDescription.read(name(), loaded, opening, options);
      } finally {
        loaded.forget();
      }
    }
    // A filter has this; what else there is depends on the plugin.
    options.optionalNodeName("file");
    options.nested("file");
    return (_, _) -> {
      throw new IllegalStateException("help opens nothing");
    };
  }
}

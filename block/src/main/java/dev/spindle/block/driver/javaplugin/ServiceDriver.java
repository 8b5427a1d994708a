// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskPlugin;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A plugin that is provided as a service, by its own name. */
record ServiceDriver(String name, ServiceLoader.Provider<DiskPlugin> provider)
    implements BlockDriver {
  private static final Logger LOG = LoggerFactory.getLogger(ServiceDriver.class);

  /** Of a class path that is so broken, the rest is left out as well. */
  private static final int MOST_FAILURES = 100;

  /** Finds those on the class path and module path; one that cannot be made is left out. */
  static List<BlockDriver> find() {
    List<BlockDriver> found = new ArrayList<>();
    Iterator<ServiceLoader.Provider<DiskPlugin>> providers =
        ServiceLoader.load(DiskPlugin.class).stream().iterator();
    for (int failures = 0; failures < MOST_FAILURES; ) {
      try {
        if (!providers.hasNext()) {
          return found;
        }
        ServiceLoader.Provider<DiskPlugin> provider = providers.next();
        found.add(new ServiceDriver(provider.get().name(), provider));
      } catch (ServiceConfigurationError | RuntimeException | LinkageError e) {
        LOG.warn("a driver on the class path is left out: {}", PluginTrouble.sentence(e, ""));
        LOG.debug("that was", e);
        failures++;
      }
    }
    return found;
  }

  @Override
  public Description read(Options options) throws BlockException, OptionException {
    OpeningOptions opening = PluginDescription.opening(options);
    DiskPlugin plugin;
    try {
      plugin = provider.get();
    } catch (ServiceConfigurationError e) {
      throw new BlockException(
          "Driver '%s' could not be made: %s"
              .formatted(name, PluginTrouble.sentence(e, provider.type().getName())),
          e);
    }
    LoadedPlugin loaded = new LoadedPlugin(plugin, () -> {}, "'" + name + "'");
    return PluginDescription.read(name, loaded, opening, options);
  }
}

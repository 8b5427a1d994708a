// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskPlugin;
import java.io.Closeable;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One node's plugin, with what holds its classes. What of the plugin is called here runs on a
 * thread of its own, and what it throws becomes a sentence. Control side.
 *
 * @param classes closed after the plugin
 * @param name of its class, and where that comes from, for messages
 */
record LoadedPlugin(DiskPlugin plugin, Closeable classes, String name) {
  private static final Logger LOG = LoggerFactory.getLogger(LoadedPlugin.class);

  /** Something that the plugin does. */
  @FunctionalInterface
  interface Work<T> {
    /** Does it; whatever it throws is the plugin's failure. */
    T run() throws Exception;
  }

  /**
   * Makes an instance. The caller keeps {@code classes} if that fails.
   *
   * @param origin where the class comes from: a file's name, or nothing
   */
  static LoadedPlugin of(Class<?> type, Closeable classes, String origin) throws BlockException {
    String name = "'" + type.getName() + "'" + (origin.isEmpty() ? "" : " of " + origin);
    if (!DiskPlugin.class.isAssignableFrom(type)) {
      throw new BlockException("Class " + name + " is neither a DiskDriver nor a DiskFilter");
    }
    try {
      Constructor<?> constructor = type.getDeclaredConstructor();
      constructor.setAccessible(true);
      return new LoadedPlugin((DiskPlugin) constructor.newInstance(), classes, name);
    } catch (NoSuchMethodException | InstantiationException e) {
      throw new BlockException(
          "Class " + name + " must be one that can be made without parameters", e);
    } catch (InvocationTargetException e) {
      throw failed(type, name, "be made", e.getCause());
    } catch (ReflectiveOperationException | RuntimeException | Error e) {
      throw failed(type, name, "be made", e);
    }
  }

  /** Has it take its options. */
  void configure(Options options) throws BlockException, OptionException {
    try {
      OwnThread.<Void, Exception>call(
          "configure-plugin",
          () -> {
            plugin.configure(options);
            return null;
          });
    } catch (OptionException e) {
      throw e;
    } catch (Exception | Error e) {
      throw failed(plugin.getClass(), name, "take its options", e);
    }
  }

  /**
   * Opens it, and has it say what it is.
   *
   * @param say asks it what there is to ask once it is open
   */
  <T> T open(Work<T> say) throws BlockException {
    try {
      return OwnThread.<T, Exception>call(
          "open-plugin",
          () -> {
            plugin.open();
            try {
              return say.run();
            } catch (Throwable e) {
              closePlugin();
              throw e;
            }
          });
    } catch (Exception | Error e) {
      throw failed(plugin.getClass(), name, "be opened", e);
    }
  }

  /** Closes what has been opened, and forgets its classes. */
  void close() {
    OwnThread.<Void, RuntimeException>call(
        "close-plugin",
        () -> {
          closePlugin();
          return null;
        });
    forget();
  }

  private void closePlugin() {
    try {
      plugin.close();
    } catch (Throwable e) {
      LOG.warn("{}", failed(plugin.getClass(), name, "be closed", e).getMessage());
    }
  }

  /** Forgets the classes of what has not been opened. */
  void forget() {
    try {
      classes.close();
    } catch (IOException e) {
      LOG.warn("the classes of driver {} could not be closed", name, e);
    }
  }

  private static BlockException failed(Class<?> type, String name, String what, Throwable cause) {
    LOG.debug("driver {} could not {}", name, what, cause);
    return new BlockException(
        "Driver %s could not %s: %s"
            .formatted(name, what, PluginTrouble.sentence(cause, type.getName())),
        cause);
  }
}

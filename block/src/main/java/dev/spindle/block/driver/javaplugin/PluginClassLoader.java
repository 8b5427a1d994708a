// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import java.net.URL;
import java.net.URLClassLoader;
import java.util.Map;
import java.util.Set;

/** The classes of one node's plugin: those that were compiled for it, and those in its jars. */
final class PluginClassLoader extends URLClassLoader {
  /** As stack traces have it. */
  static final String NAME = "plugin";

  private final Map<String, byte[]> compiled;

  /**
   * Makes a loader below Spindle's own.
   *
   * @param compiled the bytes of each class, by its name
   */
  PluginClassLoader(URL[] jars, Map<String, byte[]> compiled) {
    super(NAME, jars, PluginClassLoader.class.getClassLoader());
    this.compiled = Map.copyOf(compiled);
  }

  Set<String> compiledNames() {
    return compiled.keySet();
  }

  @Override
  protected Class<?> findClass(String name) throws ClassNotFoundException {
    byte[] bytes = compiled.get(name);
    return bytes == null ? super.findClass(name) : defineClass(name, bytes, 0, bytes.length);
  }
}

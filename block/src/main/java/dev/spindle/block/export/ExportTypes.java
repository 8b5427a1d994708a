// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import java.util.Collections;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** The types of exports there are. */
public final class ExportTypes {
  private ExportTypes() {}

  /** Finds them all, by name. */
  public static Map<String, ExportType> load() {
    Map<String, ExportType> types = new TreeMap<>();
    for (ExportType type : ServiceLoader.load(ExportType.class)) {
      types.put(type.name(), type);
    }
    return Collections.unmodifiableMap(types);
  }
}

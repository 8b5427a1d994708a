// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.probe;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.JsonValues;
import dev.spindle.block.options.OptionException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Names of images as users write them, and images write them of others: a path, {@code file:PATH},
 * {@code json:{…}}, {@code nbd:…}, {@code nbd://…}, {@code null-co://} and the like.
 */
public final class FileName {
  private static final String JSON = "json:";

  private FileName() {}

  /** Whether it stands for all options of a node rather than for the place of its data. */
  public static boolean isJson(String name) {
    return name.startsWith(JSON);
  }

  /** Whether it begins with the name of a protocol, as in {@code nbd:…}; paths do not. */
  public static boolean hasProtocol(String name) {
    int colon = name.indexOf(':');
    int slash = name.indexOf('/');
    return colon > 0 && (slash < 0 || colon < slash);
  }

  /**
   * The options of the node that holds the data, {@code driver} among them.
   *
   * @throws BlockException if there is no such protocol, or the name is not as it asks
   */
  public static Map<String, String> describe(String name) throws BlockException {
    if (isJson(name)) {
      return json(name);
    }
    if (!hasProtocol(name)) {
      return file(name);
    }
    String protocol = name.substring(0, name.indexOf(':'));
    return switch (protocol) {
      case "file" -> file(name.substring("file:".length()));
      case "nbd", "nbd+tcp", "nbd+unix" -> NbdName.describe(name);
      case "null-co", "null-aio" -> nothing(protocol, name);
      case "blkdebug" -> debug(name);
      default -> throw new BlockException("Unknown protocol '" + protocol + "'");
    };
  }

  /** The options that a {@code json:} name has. */
  private static Map<String, String> json(String name) throws BlockException {
    try {
      return JsonValues.parse(name.substring(JSON.length())).values();
    } catch (OptionException e) {
      throw new BlockException("Could not parse the JSON options: " + e.getMessage(), e);
    }
  }

  private static Map<String, String> file(String path) {
    Map<String, String> options = new LinkedHashMap<>();
    options.put("driver", "file");
    options.put("filename", path);
    return options;
  }

  private static Map<String, String> nothing(String driver, String name) throws BlockException {
    if (!name.equals(driver + "://")) {
      throw new BlockException("The only allowed filename for this driver is '" + driver + "://'");
    }
    Map<String, String> options = new LinkedHashMap<>();
    options.put("driver", driver);
    return options;
  }

  /** {@code blkdebug:CONFIG:IMAGE}; the configuration may be left out. */
  private static Map<String, String> debug(String name) throws BlockException {
    int config = name.indexOf(':') + 1;
    int image = name.indexOf(':', config);
    if (image < 0) {
      throw new BlockException("blkdebug requires both config file and image path");
    }
    Map<String, String> options = new LinkedHashMap<>();
    options.put("driver", "blkdebug");
    if (image > config) {
      options.put("config", name.substring(config, image));
    }
    describe(name.substring(image + 1)).forEach((key, value) -> options.put("image." + key, value));
    return options;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.json.JsonOptions;
import java.util.Map;

/**
 * The argument of an option that describes an object, in either of QEMU's spellings: {@code
 * driver=file,node-name=disk0,cache.direct=on} ({@link KeyValues}), or one JSON object ({@link
 * JsonOptions}).
 */
final class KeyValueOptions {
  /** So much of what users call an object goes before what is wrong with it, in characters. */
  private static final int MOST_NAME = 64;

  private KeyValueOptions() {}

  /**
   * Reads an argument.
   *
   * @param option how errors name the option, such as {@code --device}
   * @param argument what the user wrote
   * @param impliedKey the key of a first part that has none ({@code virtio-blk-pci,…}), or null if
   *     every part needs its key
   * @throws OptionException if it has neither of the two forms
   */
  static Options parse(String option, String argument, String impliedKey) throws OptionException {
    if (argument.stripLeading().startsWith("{")) {
      JsonOptions json = JsonOptions.parse(option, argument);
      return new Options(owner(option, json.values()), json.values(), json.notText());
    }
    Map<String, String> values = KeyValues.parse(option, argument, impliedKey);
    return new Options(owner(option, values), values);
  }

  /** Names the object by what the user called it, if he did: an export by its own id. */
  private static String owner(String option, Map<String, String> values) {
    for (String key : new String[] {"id", "node-name", "driver", "qom-type"}) {
      if (values.containsKey(key)) {
        String name = values.get(key);
        boolean isLong = name.length() > MOST_NAME;
        return option + " " + (isLong ? name.substring(0, MOST_NAME) + "…" : name);
      }
    }
    return option;
  }
}

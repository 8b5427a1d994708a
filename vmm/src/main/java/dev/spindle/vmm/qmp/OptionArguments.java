// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.json.JsonOptions;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.node.ObjectNode;

/**
 * Arguments that whoever is meant by one of them reads: a driver, a type of object, a type of
 * export. Implemented by records with {@link #values} as their one member.
 */
public interface OptionArguments {
  /** As they came. */
  ObjectNode values();

  /** Which of them says who reads the others: {@code driver}, {@code qom-type}. */
  String tag();

  /** Who may read them, by what the tag says. */
  Map<String, ? extends OptionList.Reader> readers();

  /**
   * The values for whoever reads them.
   *
   * @param owner how errors name the object: {@code blockdev-add}
   * @throws OptionException if one is null that may not be
   */
  default Options options(String owner) throws OptionException {
    JsonOptions flat = JsonOptions.of(owner, values());
    return new Options(owner, flat.values(), flat.notText());
  }

  /** The readers in the order of their names. */
  default Map<String, OptionList.Reader> sortedReaders() {
    return new TreeMap<>(readers());
  }
}

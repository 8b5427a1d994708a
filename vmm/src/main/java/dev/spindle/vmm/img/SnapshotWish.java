// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.image.SnapshotDescription;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.tool.ToolException;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A snapshot as {@code -l} names it.
 *
 * @param id empty if it does not matter
 * @param name empty if it does not matter
 * @param either whether it is enough that one of them is right
 */
record SnapshotWish(Optional<String> id, Optional<String> name, boolean either) {
  private static final String ID = "snapshot.id";
  private static final String NAME = "snapshot.name";

  /** {@code snapshot.id=…,snapshot.name=…}, or what is an id or else a name. */
  static SnapshotWish of(String text) throws ToolException {
    if (!text.startsWith("snapshot.")) {
      return new SnapshotWish(Optional.of(text), Optional.of(text), true);
    }
    try {
      Map<String, String> values = KeyValues.parse("-l", text, null);
      for (String key : values.keySet()) {
        if (!key.equals(ID) && !key.equals(NAME)) {
          throw new ToolException(
              "Invalid parameter '%s'\nFailed in parsing snapshot param '%s'".formatted(key, text));
        }
      }
      return new SnapshotWish(
          Optional.ofNullable(values.get(ID)), Optional.ofNullable(values.get(NAME)), false);
    } catch (OptionException e) {
      throw new ToolException("Failed in parsing snapshot param '" + text + "'", e);
    }
  }

  /** The id of the first that fits. */
  Optional<String> find(List<SnapshotDescription> snapshots) {
    if (!either) {
      return snapshots.stream()
          .filter(one -> id.isEmpty() || one.id().equals(id.get()))
          .filter(one -> name.isEmpty() || one.name().equals(name.get()))
          .map(SnapshotDescription::id)
          .findFirst();
    }
    return snapshots.stream()
        .map(SnapshotDescription::id)
        .filter(id.get()::equals)
        .findFirst()
        .or(
            () ->
                snapshots.stream()
                    .filter(one -> one.name().equals(name.get()))
                    .map(SnapshotDescription::id)
                    .findFirst());
  }
}

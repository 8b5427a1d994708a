// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * What a user says of a {@code blkdebug} node, in QAPI's words.
 *
 * @param rules {@code inject-error}, {@code set-state}, and those of the file {@code config}
 * @param taken {@code take-child-perms}: permissions taken on the image besides what is needed
 * @param unshared {@code unshare-child-perms}: permissions on the image not shared with others
 */
record BlkdebugOptions(
    List<DebugRule> rules, DebugLimits limits, Set<Permission> taken, Set<Permission> unshared) {
  /** The words for all of them. */
  static final String[] NAMES = {
    "config",
    "inject-error",
    "set-state",
    "align",
    "max-transfer",
    "opt-write-zero",
    "max-write-zero",
    "opt-discard",
    "max-discard",
    "take-child-perms",
    "unshare-child-perms"
  };

  static BlkdebugOptions from(Options options) throws BlockException, OptionException {
    List<DebugRule> rules = new ArrayList<>();
    Optional<String> config = options.string("config");
    if (config.isPresent()) {
      rules.addAll(ConfigFile.read(Path.of(config.get())));
    }
    rules.addAll(list(options, "inject-error", DebugRule.InjectError::from));
    rules.addAll(list(options, "set-state", DebugRule.SetState::from));
    return new BlkdebugOptions(
        rules,
        DebugLimits.from(options),
        permissions(options, "take-child-perms"),
        permissions(options, "unshare-child-perms"));
  }

  /** Reads one rule. */
  @FunctionalInterface
  private interface RuleReader {
    DebugRule read(Options options) throws OptionException;
  }

  /** The members of {@code name.0.…}, {@code name.1.…} and so on. */
  private static List<DebugRule> list(Options options, String name, RuleReader reader)
      throws OptionException {
    List<DebugRule> rules = new ArrayList<>();
    for (Options member : options.elements(name)) {
      rules.add(reader.read(member));
      member.finish();
    }
    return rules;
  }

  private static Set<Permission> permissions(Options options, String name) throws OptionException {
    Set<Permission> permissions = Permission.none();
    Options members = options.nested(name);
    for (int i = 0; members.peek(Integer.toString(i)).isPresent(); i++) {
      String word =
          members.choice(
              Integer.toString(i), "", "consistent-read", "write", "write-unchanged", "resize");
      permissions.add(Permission.valueOf(word.toUpperCase(Locale.ROOT).replace('-', '_')));
    }
    members.finish();
    return permissions;
  }
}

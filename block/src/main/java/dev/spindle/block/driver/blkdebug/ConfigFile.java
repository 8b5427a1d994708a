// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Rules out of a file in the format of QEMU's {@code -readconfig}: sections {@code [inject-error]}
 * and {@code [set-state]}, perhaps with a name in quotes, of lines {@code key = "value"}; lines
 * that begin with {@code #} are comments.
 */
final class ConfigFile {
  private static final Pattern SECTION = Pattern.compile("\\[([a-z-]+)(?:\\s+\"[^\"]*\")?\\]");
  private static final Pattern VALUE = Pattern.compile("([A-Za-z_-]+)\\s*=\\s*\"([^\"]*)\"");

  private final Path path;
  private final List<DebugRule> rules = new ArrayList<>();

  /** The section being read; null before the first one. */
  private String section;

  private final Map<String, String> values = new LinkedHashMap<>();

  private ConfigFile(Path path) {
    this.path = path;
  }

  static List<DebugRule> read(Path path) throws BlockException, OptionException {
    ConfigFile file = new ConfigFile(path);
    int number = 0;
    for (String line : lines(path)) {
      number++;
      file.readLine(line.strip(), number);
    }
    file.endSection();
    return file.rules;
  }

  private static List<String> lines(Path path) throws BlockException {
    try {
      return Files.readAllLines(path);
    } catch (NoSuchFileException e) {
      throw new BlockException("blkdebug config file '" + path + "' does not exist", e);
    } catch (IOException e) {
      throw new BlockException("blkdebug config file '" + path + "' cannot be read", e);
    }
  }

  private void readLine(String line, int number) throws OptionException {
    if (line.isEmpty() || line.startsWith("#")) {
      return;
    }
    Matcher head = SECTION.matcher(line);
    if (head.matches()) {
      endSection();
      section = head.group(1);
      return;
    }
    Matcher value = VALUE.matcher(line);
    if (!value.matches() || section == null) {
      throw new OptionException(
          "'%s' line %d: expected %s, not '%s'"
              .formatted(
                  path, number, section == null ? "[inject-error]" : "key = \"value\"", line));
    }
    values.put(value.group(1), value.group(2));
  }

  private void endSection() throws OptionException {
    if (section == null) {
      return;
    }
    Options options = new Options("'" + path + "' [" + section + "]", values);
    rules.add(
        switch (section) {
          case "inject-error" -> DebugRule.InjectError.from(options);
          case "set-state" -> DebugRule.SetState.from(options);
          default ->
              throw new OptionException(
                  "'%s': section [%s], expected [inject-error] or [set-state]"
                      .formatted(path, section));
        });
    options.finish();
    values.clear();
  }
}

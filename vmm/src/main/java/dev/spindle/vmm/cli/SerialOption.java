// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.chardev.ChardevOption;
import java.nio.file.Path;
import java.util.List;

/** Reads the argument of {@code --serial}. */
final class SerialOption {
  private static final List<String> KINDS = List.of("stdio", "file", "unix", "null", "none");

  private SerialOption() {}

  static ChardevOption parse(String argument) throws OptionException {
    int colon = argument.indexOf(':');
    String kind = colon < 0 ? argument : argument.substring(0, colon);
    String rest = colon < 0 ? "" : argument.substring(colon + 1);
    ChardevOption option =
        switch (kind) {
          case "stdio" -> new ChardevOption.Stdio();
          case "file" -> new ChardevOption.ToFile(path(kind, rest));
          case "unix" -> unixSocket(rest);
          case "null" -> new ChardevOption.Null();
          case "none" -> new ChardevOption.None();
          default ->
              throw new OptionException(
                  "--serial: unknown kind '" + kind + "'" + NearNames.hint(kind, KINDS));
        };
    if (!rest.isEmpty() && !kind.equals("file") && !kind.equals("unix")) {
      throw new OptionException("--serial: '" + kind + "' takes nothing after it");
    }
    return option;
  }

  private static ChardevOption unixSocket(String argument) throws OptionException {
    Options options = KeyValueOptions.parse("--serial unix", argument, "path");
    String path = options.require("path");
    boolean server = options.bool("server", false);
    boolean wait = options.bool("wait", server);
    options.finish();
    if (wait && !server) {
      throw new OptionException("--serial unix: only a server can wait");
    }
    return new ChardevOption.UnixSocket(path("unix", path), server, wait);
  }

  private static Path path(String kind, String text) throws OptionException {
    if (text.isEmpty()) {
      throw new OptionException("--serial: '" + kind + "' needs a path, as in " + kind + ":PATH");
    }
    return Path.of(text);
  }
}

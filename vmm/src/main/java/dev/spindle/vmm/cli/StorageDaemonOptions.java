// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.export.ExportTypes;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.qmp.MonitorOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.ParseResult;

/**
 * The options of {@code spindle storage-daemon}, checked as far as they can be before anything is
 * made. Options may come in any order: what an option refers to may be described after it, nodes
 * that use each other aside.
 *
 * @param objects iothreads, throttle groups and secrets
 * @param nodes as {@code --blockdev} describes them
 * @param nbdServer as {@code --nbd-server} describes it
 * @param exports as {@code --export} describes them
 * @param pidFile where the process's number goes
 * @param monitors where it is controlled from
 */
record StorageDaemonOptions(
    ObjectOptions objects,
    List<Options> nodes,
    Optional<Options> nbdServer,
    List<Options> exports,
    Optional<Path> pidFile,
    List<MonitorOption> monitors) {
  private static final String EXPORT = "--export";
  static final String NBD_SERVER = "--nbd-server";

  /**
   * Reads them.
   *
   * @throws OptionException with a sentence that names what is wrong
   */
  static StorageDaemonOptions from(ParseResult parsed) throws OptionException {
    ObjectOptions objects = ObjectOptions.parse(list(parsed, "--object"));
    BlockdevOptions nodes = BlockdevOptions.parse(list(parsed, "--blockdev"));
    Set<String> types = ExportTypes.load().keySet();
    List<Options> exports = new ArrayList<>();
    for (String argument : list(parsed, EXPORT)) {
      Options options = KeyValueOptions.parse(EXPORT, argument, "type");
      String type = options.peek("type").orElse("");
      if (type.isEmpty()) {
        throw options.missing("type");
      }
      if (!types.contains(type)) {
        throw new OptionException(OptionHelp.unknown(EXPORT, "type", type, types));
      }
      exports.add(options);
    }
    Optional<String> pidFile =
        Optional.ofNullable(parsed.matchedOptionValue("--pidfile", (String) null));
    if (pidFile.isPresent() && pidFile.get().isEmpty()) {
      throw new OptionException("--pidfile: the name of the file is empty");
    }
    return new StorageDaemonOptions(
        objects,
        nodes.nodes(),
        nbdServer(parsed),
        exports,
        pidFile.map(Path::of),
        monitors(parsed));
  }

  private static List<MonitorOption> monitors(ParseResult parsed) throws OptionException {
    return MonitorOptions.monitors(
        list(parsed, MonitorOptions.CHARDEV), list(parsed, MonitorOptions.MONITOR));
  }

  private static Optional<Options> nbdServer(ParseResult parsed) throws OptionException {
    List<String> given = list(parsed, NBD_SERVER);
    if (given.size() > 1) {
      throw new OptionException(NBD_SERVER + ": there can be only one NBD server");
    }
    return given.isEmpty()
        ? Optional.empty()
        : Optional.of(KeyValueOptions.parse(NBD_SERVER, given.getFirst(), null));
  }

  private static List<String> list(ParseResult parsed, String option) {
    return parsed.matchedOptionValue(option, List.of());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;
import static dev.spindle.vmm.qmp.QmpCommand.listOf;
import static dev.spindle.vmm.qmp.QmpCommand.query;

import dev.spindle.block.export.BlockExports;
import dev.spindle.block.export.ExportOptions;
import dev.spindle.block.export.ExportTypes;
import dev.spindle.block.options.OptionList;
import dev.spindle.vmm.qmp.OptionArguments;
import dev.spindle.vmm.qmp.QmpCommand;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import tools.jackson.databind.node.ObjectNode;

/** Nodes that are served to other programs (QAPI: block-export.json). */
public final class ExportCommands {
  /** An export that is to be: QAPI's BlockExportOptions. */
  public record NewExport(ObjectNode values) implements OptionArguments {
    @Override
    public String tag() {
      return "type";
    }

    @Override
    public Map<String, OptionList.Reader> readers() {
      Map<String, OptionList.Reader> readers = new TreeMap<>();
      ExportTypes.load()
          .forEach(
              (name, type) ->
                  readers.put(
                      name,
                      options -> {
                        ExportOptions.take(options);
                        type.read(options);
                      }));
      return readers;
    }
  }

  /** How an export ends: QAPI's BlockExportRemoveMode. */
  public enum RemoveMode {
    SAFE,
    HARD
  }

  /** Which export is to end. */
  public record ExportId(String id, Optional<RemoveMode> mode) {}

  /** An export: QAPI's BlockExportInfo. */
  public record ExportInfo(String id, String type, String nodeName, boolean shuttingDown) {}

  private ExportCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockExports, ?, ?>> all() {
    return List.of(
        query(
            "query-block-exports",
            listOf(ExportInfo.class),
            "Lists the exports.",
            ExportCommands::exports),
        action(
            "block-export-add",
            NewExport.class,
            "Serves a node.",
            (exports, wanted) -> exports.open(wanted.options("block-export-add"))),
        QmpCommand.<BlockExports, ExportId>action(
                "block-export-del",
                ExportId.class,
                "Ends an export; its clients are disconnected when they have been answered."
                    + " Difference: the mode 'safe' does not spare clients that are connected.",
                (exports, given) -> exports.close(given.id()))
            .at(QmpCommand.Place.MONITOR));
  }

  private static List<ExportInfo> exports(BlockExports exports) {
    return exports.all().stream()
        .map(export -> new ExportInfo(export.id(), export.type(), export.node().name(), false))
        .toList();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.listOf;
import static dev.spindle.vmm.qmp.QmpCommand.one;
import static dev.spindle.vmm.qmp.QmpCommand.query;

import dev.spindle.vmm.qmp.CommandTable;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpCommand.None;
import dev.spindle.vmm.qmp.QmpCommand.Place;
import dev.spindle.vmm.qmp.VersionInfo;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** What a monitor tells of itself, and the end of the program (QAPI: control.json). */
public final class MonitorCommands {
  /**
   * What they act upon.
   *
   * @param table all commands
   * @param quit has the program end soon; does not wait
   */
  public record Control(CommandTable table, VersionInfo version, Runnable quit) {}

  /** The name of a command: QAPI's CommandInfo. */
  public record CommandInfo(String name) {}

  private MonitorCommands() {}

  /** The declarations. */
  public static List<QmpCommand<Control, ?, ?>> all() {
    return List.of(
        query("query-version", one(VersionInfo.class), "Tells the version.", Control::version)
            .at(Place.ANYWHERE),
        query(
                "query-commands",
                listOf(CommandInfo.class),
                "Lists the names of all commands.",
                MonitorCommands::names)
            .at(Place.ANYWHERE),
        query(
                "query-qmp-schema",
                listOf(ObjectNode.class),
                "Describes all commands, events and types (QAPI's introspect.json).",
                MonitorCommands::schema)
            .at(Place.MONITOR),
        QmpCommand.<Control, None>action(
                "quit",
                None.class,
                "Ends the program, in good order.",
                (control, none) -> control.quit().run())
            .at(Place.ANYWHERE));
  }

  private static List<ObjectNode> schema(Control control) {
    return control.table().schema();
  }

  private static List<CommandInfo> names(Control control) {
    return control.table().names().stream().map(CommandInfo::new).toList();
  }
}

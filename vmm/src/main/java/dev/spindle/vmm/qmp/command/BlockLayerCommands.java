// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.qmp.CommandTable;
import dev.spindle.vmm.qmp.MonitorEvents;

/** The commands and events of every program that has block nodes, with a machine or without. */
public final class BlockLayerCommands {
  private BlockLayerCommands() {}

  /**
   * Declares them.
   *
   * @param disks the guest's disks, if there is a guest
   * @param events where those of jobs and exports go
   */
  public static void addTo(
      CommandTable commands, BlockLayer layer, ResizeCommands.Disks disks, MonitorEvents events) {
    commands
        .add(ObjectCommands.all(), layer)
        .add(BlockCommands.all(), layer)
        .add(ResizeCommands.all(), new ResizeCommands.Site(layer.graph(), disks))
        .add(BitmapCommands.all(), layer)
        .add(NewJobCommands.all(), layer)
        .add(ChainCommands.all(), layer)
        .add(TransactionCommands.all(), layer)
        .add(JobCommands.all(), layer)
        .add(ExportCommands.all(), layer.exports())
        .addEvents(JobEvents.ALL)
        .addEvents(ExportEvents.ALL);
    layer.jobs().listen(new JobEvents(events));
    ExportEvents.tell(layer.exports(), events);
  }
}

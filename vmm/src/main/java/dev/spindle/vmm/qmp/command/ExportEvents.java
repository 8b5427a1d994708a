// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import dev.spindle.block.export.BlockExports;
import dev.spindle.vmm.qmp.MonitorEvents;
import dev.spindle.vmm.qmp.QmpEvent;
import java.util.List;

/** Tells what happens to exports (QAPI: block-export.json). */
public final class ExportEvents {
  /** An export has ended. */
  public record Deleted(String id) {}

  private static final QmpEvent<Deleted> DELETED =
      new QmpEvent<>(
          "BLOCK_EXPORT_DELETED",
          "An export has ended, and its id is free: on its own, or with its server.",
          Deleted.class);

  /** The declarations. */
  public static final List<QmpEvent<?>> ALL = List.of(DELETED);

  private ExportEvents() {}

  /** Has monitors told of all that end from now on. Any thread that may wait. */
  public static void tell(BlockExports exports, MonitorEvents monitors) {
    exports
        .mainLoop()
        .<Void, RuntimeException>control(
            "listen-to-exports",
            () -> {
              exports.onEnded(export -> monitors.tell(DELETED, new Deleted(export.id())));
              return null;
            });
  }
}

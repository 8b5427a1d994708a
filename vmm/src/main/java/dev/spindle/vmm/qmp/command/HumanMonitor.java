// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.CacheUse;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.vmm.machine.RunState;
import dev.spindle.vmm.machine.VirtualMachine;

/** What QEMU's human monitor would answer; lines end as there. Control side. */
final class HumanMonitor {
  private static final String EOL = "\r\n";

  private HumanMonitor() {}

  static String answer(VirtualMachine machine, String line) {
    String words = line.strip().replaceAll("\\s+", " ");
    return switch (words) {
      case "info status" -> status(machine.machine().state());
      case "info block" -> blocks(machine);
      case "info name" -> machine.machine().config().name() + EOL;
      default -> "unknown command: '" + words + "'" + EOL;
    };
  }

  private static String status(RunState state) {
    String detail =
        switch (state) {
          case RUNNING -> "running";
          case PAUSED -> "paused";
          default -> "paused (" + state + ")";
        };
    return "VM status: " + detail + EOL;
  }

  private static String blocks(VirtualMachine machine) {
    StringBuilder text = new StringBuilder();
    for (VirtioBlkDevice disk : machine.peripherals().disks()) {
      BlockNode node = disk.backend().node();
      CacheUse cache = node.cacheUse();
      text.append(node.name())
          .append(": ")
          .append(node.localFile().map(file -> file + " ").orElse(""))
          .append("(%s%s)".formatted(node.driver(), node.readOnly() ? ", read-only" : ""))
          .append(EOL)
          .append("    Attached to:      ")
          .append(DiskCommands.path(disk))
          .append("/virtio-backend")
          .append(EOL)
          .append("    Cache mode:       ")
          .append(disk.backend().writeThrough() ? "writethrough" : "writeback")
          .append(cache.direct() ? ", direct" : "")
          .append(cache.noFlush() ? ", ignore flushes" : "")
          .append(EOL);
    }
    return text.toString();
  }
}

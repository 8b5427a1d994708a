// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.listOf;

import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.RequestCounts;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.QapiName;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpCommand.Place;
import java.util.List;
import java.util.Optional;

/** What disks and nodes have been asked for (QAPI: block-core.json). */
public final class StatsCommands {
  /** Whether nodes are asked about, rather than disks. */
  public record StatsArguments(Optional<Boolean> queryNodes) {}

  /** What has been asked of one: QAPI's BlockStats, as far as it is known. */
  public record Stats(
      Optional<String> device, Optional<String> qdev, String nodeName, Counts stats) {}

  /** Counts: QAPI's BlockDeviceStats, as far as they are known. */
  public record Counts(
      @QapiName("rd_bytes") long readBytes,
      @QapiName("wr_bytes") long writeBytes,
      @QapiName("unmap_bytes") long unmapBytes,
      @QapiName("rd_operations") long reads,
      @QapiName("wr_operations") long writes,
      @QapiName("flush_operations") long flushes,
      @QapiName("unmap_operations") long unmaps,
      @QapiName("wr_highest_offset") long highestWrite,
      @QapiName("failed_rd_operations") long failedReads,
      @QapiName("failed_wr_operations") long failedWrites,
      @QapiName("failed_flush_operations") long failedFlushes,
      @QapiName("failed_unmap_operations") long failedUnmaps) {
    /** Writing zeroes is a way of writing, as in QEMU. */
    static Counts of(RequestCounts counts) {
      return new Counts(
          counts.bytes(Operation.READ),
          counts.bytes(Operation.WRITE) + counts.bytes(Operation.WRITE_ZEROES),
          counts.bytes(Operation.DISCARD),
          counts.requests(Operation.READ),
          counts.requests(Operation.WRITE) + counts.requests(Operation.WRITE_ZEROES),
          counts.requests(Operation.FLUSH),
          counts.requests(Operation.DISCARD),
          counts.highestWrite(),
          counts.failed(Operation.READ),
          counts.failed(Operation.WRITE) + counts.failed(Operation.WRITE_ZEROES),
          counts.failed(Operation.FLUSH),
          counts.failed(Operation.DISCARD));
    }
  }

  private StatsCommands() {}

  /** The declarations. */
  public static List<QmpCommand<VirtualMachine, ?, ?>> all() {
    return List.of(
        new QmpCommand<>(
            "query-blockstats",
            "Tells what has been asked of each disk since it was made, or of each node by those"
                + " who use it now, other nodes apart. Difference: no times, for requests do not"
                + " look at the clock.",
            StatsArguments.class,
            listOf(Stats.class),
            Place.CONTROL,
            StatsCommands::stats));
  }

  private static List<Stats> stats(VirtualMachine machine, StatsArguments given) {
    return given.queryNodes().orElse(false)
        ? machine.graph().nodes().stream().map(StatsCommands::node).toList()
        : machine.peripherals().disks().stream().map(StatsCommands::disk).toList();
  }

  private static Stats disk(VirtioBlkDevice disk) {
    return new Stats(
        Optional.of(""),
        Optional.of(DiskCommands.path(disk)),
        disk.backend().node().name(),
        Counts.of(disk.backend().counts()));
  }

  private static Stats node(BlockNode node) {
    RequestCounts sum = new RequestCounts();
    for (BlockEdge edge : node.parents()) {
      if (edge.parent() instanceof BlockBackend backend) {
        backend.addCountsTo(sum);
      }
    }
    return new Stats(Optional.empty(), Optional.empty(), node.name(), Counts.of(sum));
  }
}

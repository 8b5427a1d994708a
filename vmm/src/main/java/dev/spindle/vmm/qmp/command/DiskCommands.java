// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;
import static dev.spindle.vmm.qmp.QmpCommand.listOf;
import static dev.spindle.vmm.qmp.QmpCommand.query;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.devices.virtio.blk.IoStatus;
import dev.spindle.devices.virtio.blk.MoveStats;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.QapiName;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpException;
import dev.spindle.vmm.qmp.StrOrNull;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The machine's disks (QAPI: block-core.json). */
public final class DiskCommands {
  /** A disk: QAPI's BlockInfo, as far as it is known. */
  public record DiskInfo(
      String device,
      String qdev,
      String type,
      boolean removable,
      boolean locked,
      IoStatus ioStatus,
      @QapiName("x-spindle-quiesced") boolean quiesced,
      BlockCommands.NodeInfo inserted) {}

  /** How often a disk has moved, and for how long that held its requests back, in nanoseconds. */
  public record MoveInfo(
      String id, long moves, long longestHoldNs, long totalHoldNs, MoveStats.Histogram histogram) {}

  /**
   * Queues that are to work on an iothread.
   *
   * @param iothread null for the main loop
   * @param vqs their numbers
   */
  public record QueuesOfThread(StrOrNull iothread, List<Integer> vqs) {}

  /** Arguments of {@code x-spindle-set-iothread-vq-mapping}. */
  public record MappingArguments(String id, List<QueuesOfThread> iothreadVqMapping) {}

  private DiskCommands() {}

  /** The declarations. */
  public static List<QmpCommand<VirtualMachine, ?, ?>> all() {
    return List.of(
        query(
            "query-block",
            listOf(DiskInfo.class),
            "Lists the disks. x-spindle-quiesced tells whether a disk's requests are held back, as"
                + " they are while the machine is stopped.",
            machine -> machine.peripherals().disks().stream().map(DiskCommands::disk).toList()),
        query(
            "x-spindle-query-moves",
            listOf(MoveInfo.class),
            "Tells how often each disk has moved, and how long that held its requests back: a bin"
                + " of the histogram counts moves from one boundary up to the next.",
            machine -> machine.peripherals().disks().stream().map(DiskCommands::moves).toList()),
        action(
            "x-spindle-set-iothread-vq-mapping",
            MappingArguments.class,
            "Moves single queues of a disk to other iothreads while the guest uses them; those that"
                + " are not named stay where they are.",
            DiskCommands::map));
  }

  /** QOM's path of a device. */
  static String path(VirtioBlkDevice disk) {
    return DeviceCommands.path(disk.id());
  }

  /** Finds a disk by its id or QOM's path. */
  public static VirtioBlkDevice find(VirtualMachine machine, String name) throws QmpException {
    return machine.peripherals().disks().stream()
        .filter(disk -> disk.id().equals(name) || path(disk).equals(name))
        .findFirst()
        .orElseThrow(() -> QmpException.deviceNotFound(name));
  }

  private static DiskInfo disk(VirtioBlkDevice disk) {
    BlockBackend backend = disk.backend();
    return new DiskInfo(
        "",
        path(disk),
        "unknown",
        false,
        false,
        disk.ioStatus(),
        backend.isQuiesced(),
        BlockCommands.node(backend.node()));
  }

  private static MoveInfo moves(VirtioBlkDevice disk) {
    MoveStats stats = disk.moveStats();
    return new MoveInfo(
        disk.id(), stats.moves(), stats.longestHoldNs(), stats.totalHoldNs(), stats.histogram());
  }

  private static void map(VirtualMachine machine, MappingArguments given)
      throws QmpException, BlockException {
    VirtioBlkDevice disk = find(machine, given.id());
    Map<Integer, AioContext> targets = new TreeMap<>();
    for (QueuesOfThread part : given.iothreadVqMapping()) {
      Optional<String> name = part.iothread().text();
      AioContext context =
          name.isPresent() ? machine.ioThread(name.get()).context() : machine.mainLoop().context();
      for (int queue : part.vqs()) {
        if (queue < 0 || queue >= disk.queueCount()) {
          throw new QmpException(
              "vq index %d is out of range: device '%s' has %d queues"
                  .formatted(queue, disk.id(), disk.queueCount()));
        }
        if (targets.put(queue, context) != null) {
          throw new QmpException("vq index " + queue + " is assigned twice");
        }
      }
    }
    targets.forEach(
        (queue, context) -> {
          if (disk.placement().contexts().get(queue) != context) {
            disk.moveQueueTo(queue, context);
          }
        });
  }
}

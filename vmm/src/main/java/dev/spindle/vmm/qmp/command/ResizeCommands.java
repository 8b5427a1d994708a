// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpException;
import java.util.List;
import java.util.Optional;

/** Other lengths of nodes (QAPI: block-core.json). */
public final class ResizeCommands {
  /**
   * Nodes, which users may also name by the guest's disk that is on them.
   *
   * @param graph where the nodes are
   * @param disks the guest's disks
   */
  public record Site(BlockGraph graph, Disks disks) {}

  /** The guest's disks. */
  @FunctionalInterface
  public interface Disks {
    /** Those of a program without a guest. */
    Disks NONE =
        device -> {
          throw QmpException.deviceNotFound(device);
        };

    /**
     * The node that a disk is on.
     *
     * @param device its id or QOM's path
     * @throws QmpException if there is no such disk
     */
    BlockNode node(String device) throws QmpException;
  }

  /** Arguments of {@code block_resize}. */
  public record ResizeArguments(Optional<String> device, Optional<String> nodeName, long size) {}

  private ResizeCommands() {}

  /** The declarations. */
  public static List<QmpCommand<Site, ?, ?>> all() {
    return List.of(
        action(
            "block_resize",
            ResizeArguments.class,
            "Gives a node another length; guests are told at once.",
            ResizeCommands::resize));
  }

  private static void resize(Site site, ResizeArguments given) throws QmpException, BlockException {
    if (given.device().isPresent() == given.nodeName().isPresent()) {
      throw new QmpException("Need exactly one of 'device' and 'node-name'");
    }
    if (given.size() < 0) {
      throw new QmpException("Parameter 'size' expects a >0 size");
    }
    BlockNode node =
        given.device().isPresent()
            ? site.disks().node(given.device().get())
            : site.graph().find(given.nodeName().get());
    site.graph().resize(node, given.size(), "block_resize");
  }
}

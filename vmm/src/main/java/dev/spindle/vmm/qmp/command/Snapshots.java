// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.OverlayChange;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.job.chain.OverlayFile;
import dev.spindle.block.options.OptionException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Nodes that are to be covered, all in one moment, and the files that were made for it. */
final class Snapshots {
  private final BlockGraph graph;
  private final OverlayChange change;
  private final List<OverlayFile> files = new ArrayList<>();
  private final Set<BlockNode> nodes = new LinkedHashSet<>();

  Snapshots(BlockGraph graph) {
    this.graph = graph;
    this.change = new OverlayChange(graph);
  }

  /** Takes an overlay that is there. */
  void add(ChainCommands.Snapshot given) throws BlockException {
    cover(graph.find(given.node()), graph.find(given.overlay()));
  }

  /** Opens an overlay, which is made if that is wanted. */
  void add(ChainCommands.SnapshotSync given) throws BlockException, OptionException {
    if (given.device().isEmpty() && given.nodeName().isEmpty()) {
      throw new BlockException("Either 'device' or 'node-name' must be given");
    }
    BlockNode covered = graph.find(given.device().or(given::nodeName).orElseThrow());
    if (given.nodeName().isPresent() && given.snapshotNodeName().isEmpty()) {
      throw new BlockException("New overlay node-name missing");
    }
    OverlayFile file =
        OverlayFile.open(
            graph,
            covered,
            new OverlayFile.Wish(
                Path.of(given.snapshotFile()),
                given.snapshotNodeName(),
                given.format().orElse("qcow2"),
                given.mode().orElse(OverlayFile.Mode.ABSOLUTE_PATHS)));
    files.add(file);
    cover(covered, file.node());
  }

  private void cover(BlockNode node, BlockNode overlay) throws BlockException {
    change.add(node, overlay);
    nodes.add(node);
    nodes.add(overlay);
  }

  /** What is concerned, overlays too. */
  Set<BlockNode> nodes() {
    return nodes;
  }

  /** As {@link OverlayChange#begin}. */
  Transaction begin() throws BlockException {
    return change.begin();
  }

  /**
   * Gives up what was opened and made, for nothing has been covered.
   *
   * @param reason why; it keeps what goes wrong
   */
  void drop(Throwable reason) {
    files.reversed().forEach(file -> file.drop(reason));
  }
}

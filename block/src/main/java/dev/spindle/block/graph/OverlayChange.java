// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.image.BackedImage;
import dev.spindle.linux.Errno;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Overlays that are put over nodes, all in one moment, or none (QAPI's blockdev-snapshot): whoever
 * uses the node uses the overlay from then on, and what the node holds is what it held at that
 * moment. Made once, begun once. Control side.
 */
public final class OverlayChange {
  private final BlockGraph graph;
  private final Set<BlockNode> nodes = new LinkedHashSet<>();
  private final Set<BlockNode> overlays = new LinkedHashSet<>();
  private final GraphChange links = new GraphChange();

  /** Changes nothing yet. */
  public OverlayChange(BlockGraph graph) {
    this.graph = graph;
  }

  /**
   * Has a node covered.
   *
   * @param overlay an image that nobody uses, and that was opened without a backing file
   * @throws BlockException if it is not
   */
  public void add(BlockNode node, BlockNode overlay) throws BlockException {
    if (!(overlay instanceof BackedImage)) {
      throw new BlockException(
          "The overlay '%s' does not support backing images".formatted(overlay.name()));
    }
    if (!overlay.parents().isEmpty() || overlay == node || overlays.contains(overlay)) {
      throw new BlockException("The overlay '%s' is already in use".formatted(overlay.name()));
    }
    if (BackingChain.backing(overlay).isPresent()) {
      throw new BlockException(
          "The overlay '%s' already has a backing image".formatted(overlay.name()));
    }
    if (!nodes.add(node)) {
      throw new BlockException("Node '%s' is to be covered twice".formatted(node.name()));
    }
    overlays.add(overlay);
    links.attach(overlay, "backing", ChildRole.BACKING, node);
    links.replace(node, overlay);
  }

  /**
   * Prepares all of it; waits for requests in flight, and until what was written is on stable
   * storage. Until the caller commits or aborts, all that is concerned stands still.
   *
   * @throws BlockException if it is not possible; nothing has changed then
   */
  public Transaction begin() throws BlockException {
    Transaction transaction = new Transaction();
    links.drain(transaction);
    try {
      for (BlockNode node : nodes) {
        flush(node);
      }
      links.prepare(transaction);
    } catch (BlockException | RuntimeException | Error e) {
      transaction.abort();
      throw e;
    }
    return transaction;
  }

  private void flush(BlockNode node) throws BlockException {
    int result = node.readOnly() ? 0 : AwaitedRequest.flush(node, graph.mainContext());
    if (result < 0) {
      throw new BlockException(
          "Error flushing node '%s': %s".formatted(node.name(), Errno.message(-result)));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.image.BackedImage;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Links of backing chains that change together with what images say of them, or not at all. Made
 * once, begun once. Control side.
 */
final class ChainChange {
  private static final Logger LOG = LoggerFactory.getLogger(ChainChange.class);

  private final GraphChange links = new GraphChange();
  private final Map<BlockNode, Optional<BackingName>> names = new LinkedHashMap<>();

  /** Has whoever uses one node use another one. */
  void replace(BlockNode from, BlockNode to) {
    links.replace(from, to);
  }

  /** Has a node stand on another one, or on none. */
  void standOn(BlockNode overlay, Optional<BlockNode> next) {
    Optional<BlockEdge> link = BackingChain.backing(overlay);
    if (link.map(BlockEdge::node).equals(next)) {
      return;
    }
    if (link.isEmpty()) {
      links.attach(overlay, "backing", ChildRole.BACKING, next.orElseThrow());
    } else if (next.isEmpty()) {
      links.detach(link.get());
    } else {
      links.redirect(link.get(), next.get());
    }
  }

  /** Has a node's image say what it backs onto, if it says anything of that at all. */
  void name(BlockNode overlay, Optional<BackingName> backing) {
    names.put(overlay, backing);
  }

  /**
   * Prepares all of it; waits for requests in flight. Until the caller commits or aborts, all that
   * is concerned stands still.
   *
   * @throws BlockException if it is not possible; nothing has changed then
   */
  Transaction begin() throws BlockException {
    Transaction transaction = links.begin();
    try {
      for (Map.Entry<BlockNode, Optional<BackingName>> entry : names.entrySet()) {
        if (entry.getKey() instanceof BackedImage image) {
          transaction.add(rename(entry.getKey(), image, entry.getValue()));
        }
      }
    } catch (BlockException | RuntimeException | Error e) {
      transaction.abort();
      throw e;
    }
    return transaction;
  }

  private static Transaction.Action rename(
      BlockNode node, BackedImage image, Optional<BackingName> next) throws BlockException {
    Optional<BackingName> before = image.backingFile();
    if (before.equals(next)) {
      return Transaction.NOTHING;
    }
    image.changeBackingFile(next);
    return new Transaction.Action() {
      @Override
      public void abort() {
        try {
          image.changeBackingFile(before);
        } catch (BlockException e) {
          LOG.error("The image of {} names another backing file than it has", node.describe(), e);
        }
      }
    };
  }
}

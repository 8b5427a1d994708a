// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Errno;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Gives several nodes other options and other children in one go, or changes nothing (QAPI's
 * blockdev-reopen): all of them stand still and are flushed, each prepares, links change,
 * permissions are worked out on the result, and only then is anything final. Control side.
 */
final class Reopen {
  private final BlockGraph graph;
  private final Map<BlockNode, Options> nodes = new LinkedHashMap<>();

  /** What was said of each, as it was before the drivers took it. */
  private final Map<BlockNode, Map<String, String>> given = new LinkedHashMap<>();

  Reopen(BlockGraph graph, List<Options> descriptions) throws BlockException, OptionException {
    this.graph = graph;
    for (Options options : descriptions) {
      BlockNode node = graph.find(options.require("node-name"));
      if (!options.require("driver").equals(node.driver())) {
        throw new BlockException("Cannot change the option 'driver'");
      }
      if (nodes.put(node, options) != null) {
        throw new BlockException("Node '" + node.name() + "' is to be reopened twice");
      }
      given.put(node, Map.copyOf(options.peekAll()));
    }
  }

  /**
   * Does it.
   *
   * @return what each node is described by now
   */
  Map<BlockNode, Map<String, String>> run() throws BlockException, OptionException {
    Transaction transaction = new Transaction();
    DrainedSection section = DrainedSection.begin(nodes.keySet());
    transaction.add(
        new Transaction.Action() {
          @Override
          public void clean() {
            section.close();
          }
        });
    try {
      prepare(transaction);
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      transaction.abort();
      throw e;
    }
    transaction.commit();
    return given;
  }

  private void prepare(Transaction transaction) throws BlockException, OptionException {
    for (BlockNode node : nodes.keySet()) {
      flush(node);
    }
    GraphChange links = new GraphChange();
    nodes.keySet().forEach(links::touch);
    // A node goes by what its children will be.
    for (BlockNode node : childrenFirst()) {
      Options options = nodes.get(node);
      if (options != null) {
        transaction.add(node.prepareReopen(graph, options, links));
        options.finish();
      }
    }
    // Children that are new to these nodes are drained as well, before any link changes.
    links.drain(transaction);
    links.prepare(transaction);
  }

  /** By the links as they will be, since a node may be given a child that is reopened as well. */
  private List<BlockNode> childrenFirst() throws BlockException {
    Map<String, BlockNode> byName = new HashMap<>();
    graph.nodes().forEach(node -> byName.put(node.name(), node));
    List<BlockNode> order =
        NodeOrder.childrenFirst(
            nodes.keySet(),
            node -> node.children().stream().map(edge -> childToBe(edge, byName)).toList());
    Set<BlockNode> earlier = new HashSet<>();
    for (BlockNode node : order) {
      for (BlockEdge edge : node.children()) {
        BlockNode child = childToBe(edge, byName);
        if (!earlier.contains(child)) {
          throw GraphChange.cycle(node, edge.name(), child);
        }
      }
      earlier.add(node);
    }
    return order;
  }

  /** Goes by the parent's options, of which it refuses those that name no node. */
  private BlockNode childToBe(BlockEdge edge, Map<String, BlockNode> byName) {
    Options options = edge.parent() instanceof BlockNode parent ? nodes.get(parent) : null;
    return options == null
        ? edge.node()
        : options.peek(edge.name()).map(byName::get).orElse(edge.node());
  }

  private void flush(BlockNode node) throws BlockException {
    int result = node.readOnly() ? 0 : AwaitedRequest.flush(node, graph.mainContext());
    if (result < 0) {
      throw new BlockException(
          "Error flushing node '%s': %s".formatted(node.name(), Errno.message(-result)));
    }
    if (!node.readOnly()) {
      node.writeBack();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import dev.spindle.block.graph.GraphDump;
import dev.spindle.block.graph.Permission;
import dev.spindle.vmm.machine.BlockLayer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** How nodes and their users hang together: QAPI's XDbgBlockGraph. */
public record GraphInfo(List<Node> nodes, List<Edge> edges) {
  /** What a node of the graph is: QAPI's XDbgBlockGraphNodeType. */
  public enum NodeType {
    BLOCK_BACKEND,
    BLOCK_DRIVER
  }

  /** A node, or one of their users. */
  public record Node(long id, NodeType type, String name) {}

  /** Who uses whom: QAPI's XDbgBlockGraphEdge. */
  public record Edge(
      long parent, long child, String name, List<Permission> perm, List<Permission> sharedPerm) {}

  /** Takes the picture. Control side. */
  static GraphInfo of(BlockLayer layer) {
    GraphDump dump = GraphDump.of(layer.graph());
    Map<String, Long> ids = new LinkedHashMap<>();
    List<Node> nodes = new ArrayList<>();
    for (GraphDump.User user : dump.users()) {
      ids.put(user.name(), ids.size() + 1L);
      nodes.add(new Node(ids.size(), NodeType.BLOCK_BACKEND, user.name()));
    }
    for (GraphDump.Node node : dump.nodes()) {
      ids.put(node.name(), ids.size() + 1L);
      nodes.add(new Node(ids.size(), NodeType.BLOCK_DRIVER, node.name()));
    }
    List<Edge> edges = new ArrayList<>();
    for (GraphDump.Link link : dump.links()) {
      edges.add(
          new Edge(
              ids.get(link.from()),
              ids.get(link.to()),
              link.name(),
              sorted(link.used()),
              sorted(link.shared())));
    }
    return new GraphInfo(nodes, edges);
  }

  private static List<Permission> sorted(Set<Permission> permissions) {
    return permissions.stream().sorted().toList();
  }
}

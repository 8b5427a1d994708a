// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What users have said of nodes, so that one thing can be changed about them as if all the rest had
 * been said again. Control side.
 */
final class Descriptions {
  private static final String READ_ONLY = "read-only";
  private static final Set<String> YES = Set.of("on", "true", "yes");

  private final Map<BlockNode, Map<String, String>> given = new IdentityHashMap<>();

  /** Remembers options, without the node's name and driver. */
  void set(BlockNode node, Map<String, String> options) {
    given.put(node, new LinkedHashMap<>(options));
  }

  void forget(BlockNode node) {
    given.remove(node);
  }

  private static String word(boolean on) {
    return on ? "on" : "off";
  }

  private boolean isReadOnly(BlockNode node) {
    Map<String, String> options = given.get(node);
    return options != null && YES.contains(options.getOrDefault(READ_ONLY, ""));
  }

  /** A node and those that hold its image, as far as they are described as read-only. */
  List<BlockNode> readOnlyFiles(BlockNode node) {
    List<BlockNode> found = new ArrayList<>();
    if (isReadOnly(node)) {
      found.add(node);
    }
    for (BlockEdge edge : node.children()) {
      if (!edge.roles().contains(ChildRole.COW)) {
        readOnlyFiles(edge.node()).stream()
            .filter(each -> !found.contains(each))
            .forEach(found::add);
      }
    }
    return found;
  }

  /** For reopening: what was said, but for {@code read-only}; the children stay what they are. */
  Options with(BlockNode node, boolean readOnly) {
    Map<String, String> options = new LinkedHashMap<>(given.get(node));
    options
        .keySet()
        .removeIf(
            key ->
                node.children().stream()
                    .anyMatch(edge -> (key + ".").startsWith(edge.name() + ".")));
    options.put("node-name", node.name());
    options.put("driver", node.driver());
    options.put(READ_ONLY, word(readOnly));
    return new Options(node.describe(), options);
  }
}

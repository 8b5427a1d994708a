// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A picture of the graph at one moment: nodes, who uses them, and how they are. Taken by control
 * work; the picture itself may be read by any thread.
 *
 * @param nodes in the order of opening
 * @param users the backends, in the order in which they were met
 * @param links from whoever holds to what is held
 */
public record GraphDump(List<Node> nodes, List<User> users, List<Link> links) {
  /**
   * A node.
   *
   * @param detail what tells it from others of its driver, or nothing
   * @param context the name of its AioContext
   * @param quiesceDepth sections that keep its users from sending
   */
  public record Node(
      String name,
      String driver,
      String detail,
      String context,
      long length,
      boolean readOnly,
      int quiesceDepth) {}

  /**
   * A backend.
   *
   * @param name as errors name it
   * @param contexts where its requests come from
   * @param inFlight requests sent and not yet completed
   */
  public record User(String name, List<String> contexts, int inFlight, boolean quiesced) {}

  /**
   * A link.
   *
   * @param from a node's name, or a user's
   * @param to a node's name
   * @param name what the node is to the holder
   */
  public record Link(
      String from, String to, String name, Set<Permission> used, Set<Permission> shared) {}

  /** Copies the lists. */
  public GraphDump {
    nodes = List.copyOf(nodes);
    users = List.copyOf(users);
    links = List.copyOf(links);
  }

  /** Takes the picture. Control side; asks each context for its counts. */
  public static GraphDump of(BlockGraph graph) {
    List<Node> nodes = new ArrayList<>();
    List<Link> links = new ArrayList<>();
    Set<BlockBackend> backends = new LinkedHashSet<>();
    for (BlockNode node : graph.nodes()) {
      nodes.add(
          new Node(
              node.name(),
              node.driver(),
              node.detail(),
              node.context().name(),
              node.length(),
              node.readOnly(),
              node.quiesceDepth()));
      for (BlockEdge edge : node.parents()) {
        String holder =
            switch (edge.parent()) {
              case BlockBackend backend -> {
                backends.add(backend);
                yield backend.describe();
              }
              case BlockNode parent -> parent.name();
            };
        links.add(new Link(holder, node.name(), edge.name(), edge.used(), edge.shared()));
      }
    }
    return new GraphDump(nodes, backends.stream().map(BlockBackend::dump).toList(), links);
  }

  /**
   * The same picture of users that have not begun to send.
   *
   * @param contexts where their requests will come from, by their names; the others stay as they
   *     are
   */
  public GraphDump withContexts(Map<String, List<String>> contexts) {
    List<User> changed =
        users.stream()
            .map(
                user ->
                    new User(
                        user.name(),
                        contexts.getOrDefault(user.name(), user.contexts()),
                        user.inFlight(),
                        user.quiesced()))
            .toList();
    return new GraphDump(nodes, changed, links);
  }

  /** As indented text, one line for each node under each of its holders. */
  public String toText() {
    StringBuilder text = new StringBuilder();
    for (User user : users) {
      text.append(
          "%s: %d in flight%s%s%n"
              .formatted(
                  user.name(), user.inFlight(), on(user), user.quiesced() ? ", quiesced" : ""));
      appendBelow(text, user.name(), 1);
    }
    for (Node node : nodes) {
      if (links.stream().noneMatch(link -> link.to().equals(node.name()))) {
        text.append(line(node)).append(System.lineSeparator());
        appendBelow(text, node.name(), 1);
      }
    }
    return text.toString();
  }

  private static String on(User user) {
    return user.contexts().isEmpty() ? "" : " on " + String.join(", ", user.contexts());
  }

  private void appendBelow(StringBuilder text, String holder, int depth) {
    for (Link link : links) {
      if (link.from().equals(holder)) {
        Node node = node(link.to());
        text.append("  ".repeat(depth)).append(link.name()).append(": ").append(line(node));
        text.append(" uses ").append(words(link.used())).append(System.lineSeparator());
        appendBelow(text, node.name(), depth + 1);
      }
    }
  }

  private Node node(String name) {
    return nodes.stream().filter(node -> node.name().equals(name)).findFirst().orElseThrow();
  }

  private static String line(Node node) {
    return "%s (%s%s, %d bytes%s, on %s%s)"
        .formatted(
            node.name(),
            node.driver(),
            node.detail().isEmpty() ? "" : ", " + node.detail(),
            node.length(),
            node.readOnly() ? ", read-only" : "",
            node.context(),
            node.quiesceDepth() > 0 ? ", drained " + node.quiesceDepth() + " times" : "");
  }

  private static String words(Set<Permission> permissions) {
    Set<Permission> sorted = Permission.none();
    sorted.addAll(permissions);
    return sorted.isEmpty() ? "nothing" : Permission.words(sorted);
  }

  /** As a Graphviz digraph. */
  public String toDot() {
    StringBuilder dot = new StringBuilder("digraph block {\n  node [fontname=\"sans-serif\"];\n");
    for (User user : users) {
      dot.append(
          "  %s [shape=ellipse, label=%s];\n"
              .formatted(
                  quote("user " + user.name()),
                  quote(user.name() + "\n" + user.inFlight() + " in flight" + on(user))));
    }
    for (Node node : nodes) {
      String label =
          "%s\n%s%s on %s%s"
              .formatted(
                  node.name(),
                  node.driver(),
                  node.detail().isEmpty() ? "" : " (" + node.detail() + ")",
                  node.context(),
                  node.quiesceDepth() > 0 ? "\ndrained" : "");
      dot.append("  %s [shape=box, label=%s];\n".formatted(quote(node.name()), quote(label)));
    }
    Set<String> names = new LinkedHashSet<>();
    nodes.forEach(node -> names.add(node.name()));
    for (Link link : links) {
      String from = names.contains(link.from()) ? link.from() : "user " + link.from();
      dot.append(
          "  %s -> %s [label=%s];\n".formatted(quote(from), quote(link.to()), quote(link.name())));
    }
    return dot.append("}\n").toString();
  }

  private static String quote(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
  }
}

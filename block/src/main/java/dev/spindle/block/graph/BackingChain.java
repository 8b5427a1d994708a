// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The way from a node through filters and backing files down to one of them. Control side.
 *
 * @param top where it begins
 * @param links in order from {@code top}'s own child on; none if it ends where it begins
 */
public record BackingChain(BlockNode top, List<BlockEdge> links) {
  /** Copies the list. */
  public BackingChain {
    links = List.copyOf(links);
  }

  /** All the way from {@code top} to the node that stands on no other. */
  public static BackingChain of(BlockNode top) {
    List<BlockEdge> links = new ArrayList<>();
    for (Optional<BlockEdge> next = next(top); next.isPresent(); next = next(links.getLast())) {
      links.add(next.get());
    }
    return new BackingChain(top, links);
  }

  private static Optional<BlockEdge> next(BlockEdge link) {
    return next(link.node());
  }

  /** The link to what a node shows where it holds nothing: its backing file, or a filter's file. */
  public static Optional<BlockEdge> next(BlockNode node) {
    Optional<BlockEdge> backing = backing(node);
    return backing.isPresent() ? backing : filtered(node);
  }

  /** The link to a node's backing file. */
  public static Optional<BlockEdge> backing(BlockNode node) {
    return child(node, ChildRole.COW);
  }

  /** The link from a filter to what it stands before. */
  public static Optional<BlockEdge> filtered(BlockNode node) {
    return child(node, ChildRole.FILTERED);
  }

  private static Optional<BlockEdge> child(BlockNode node, ChildRole role) {
    return node.children().stream().filter(edge -> edge.roles().contains(role)).findFirst();
  }

  /** The node itself, or what a filter, or several of them, stand before. */
  public static BlockNode image(BlockNode node) {
    BlockNode image = node;
    for (Optional<BlockEdge> below = filtered(node); below.isPresent(); below = filtered(image)) {
      image = below.get().node();
    }
    return image;
  }

  /** Its part down to a node, or nothing if that is not in it. */
  public Optional<BackingChain> downTo(BlockNode bottom) {
    if (top == bottom) {
      return Optional.of(new BackingChain(top, List.of()));
    }
    for (int i = 0; i < links.size(); i++) {
      if (links.get(i).node() == bottom) {
        return Optional.of(new BackingChain(top, links.subList(0, i + 1)));
      }
    }
    return Optional.empty();
  }

  /** Its nodes, in order, the first and the last too. */
  public List<BlockNode> nodes() {
    List<BlockNode> nodes = new ArrayList<>(List.of(top));
    links.forEach(link -> nodes.add(link.node()));
    return nodes;
  }

  /** Its nodes, in order, but the filters. */
  public List<BlockNode> images() {
    return nodes().stream().filter(node -> filtered(node).isEmpty()).toList();
  }

  /** Where it ends. */
  public BlockNode bottom() {
    return links.isEmpty() ? top : links.getLast().node();
  }

  /** The node below {@code top} that shows the image in a file of that name. */
  public Optional<BlockNode> find(String filename) {
    return nodes().stream()
        .skip(1)
        .filter(node -> file(node).filter(file -> file.toString().equals(filename)).isPresent())
        .findFirst();
  }

  /** The file of this host that holds the data of a node's image, if there is one. */
  public static Optional<Path> dataFile(BlockNode node) {
    return node.children().stream()
        .filter(edge -> edge.roles().equals(ChildRole.EXTERNAL))
        .findFirst()
        .map(BlockEdge::node)
        .or(() -> Optional.of(node))
        .flatMap(BackingChain::file);
  }

  /** The file of this host that holds a node's image, if there is one. */
  public static Optional<Path> file(BlockNode node) {
    Optional<Path> own = node.localFile();
    return own.isPresent()
        ? own
        : child(node, ChildRole.PRIMARY).map(BlockEdge::node).flatMap(BackingChain::file);
  }

  /**
   * Keeps the links as they are, for somebody who relies on them.
   *
   * @param user as errors name him
   * @throws BlockException if somebody relies on one of them already
   */
  public void freeze(String user) throws BlockException {
    for (BlockEdge link : links) {
      if (link.isFrozen()) {
        throw new BlockException(
            "The link from %s to '%s' is relied on already"
                .formatted(link.parent().describe(), link.node().name()));
      }
    }
    links.forEach(link -> link.freeze(user));
  }

  /** Ends {@link #freeze}. */
  public void unfreeze() {
    links.forEach(BlockEdge::unfreeze);
  }
}

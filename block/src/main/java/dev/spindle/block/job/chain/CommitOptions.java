// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.mirror.ActiveCommitJob;
import java.util.Optional;

/**
 * What users say of a commit, in QAPI's words. A node is given by its name or by its file's name,
 * not by both; without any, all of the chain is committed, down to its last node.
 *
 * @param job what they say of every job; {@code on-error} is both of its policies
 * @param top the file name of the uppermost node whose data is copied
 * @param topNode {@code top-node}: the name of that node
 * @param base the file name of the node that gets the data
 * @param baseNode {@code base-node}: the name of that node
 * @param backingFile {@code backing-file}: what images above are to name as their backing file; the
 *     base's file otherwise
 * @param filterNodeName {@code filter-node-name}: of the filter that stands before the top
 */
public record CommitOptions(
    JobOptions job,
    Optional<String> top,
    Optional<String> topNode,
    Optional<String> base,
    Optional<String> baseNode,
    Optional<String> backingFile,
    Optional<String> filterNodeName) {
  /** From one node to another, with QEMU's defaults. */
  public static CommitOptions of(JobOptions job, String topNode, String baseNode) {
    return new CommitOptions(
        job,
        Optional.empty(),
        Optional.of(topNode),
        Optional.empty(),
        Optional.of(baseNode),
        Optional.empty(),
        Optional.empty());
  }

  /**
   * The job that does it: one that comes to its end by itself, or, where the top is the node that
   * the disk is, one that becomes ready. Control side.
   *
   * @param disk the node, or a filter before it
   * @throws BlockException if the nodes are not in the disk's chain, or not in this order
   */
  public JobDriver job(BlockGraph graph, BlockNode disk) throws BlockException {
    BackingChain all = BackingChain.of(disk);
    BlockNode upper = node(graph, all, "top", top, topNode).orElse(disk);
    BlockNode lower = node(graph, all, "base", base, baseNode).orElseGet(() -> last(all));
    Optional<BackingChain> part = BackingChain.of(upper).downTo(lower);
    if (part.isEmpty() || BackingChain.image(upper) == BackingChain.image(lower)) {
      throw new BlockException(
          "Node '%s' is not a backing image of '%s'".formatted(lower.name(), upper.name()));
    }
    if (BackingChain.image(upper) != BackingChain.image(disk)) {
      return new CommitJob(graph, part.get(), this);
    }
    if (backingFile.isPresent()) {
      throw new BlockException("'backing-file' specified, but 'top' is the active layer");
    }
    return new ActiveCommitJob(graph, all.downTo(lower).orElseThrow(), job, filterNodeName);
  }

  /** What the last overlay stands on. */
  private static BlockNode last(BackingChain chain) {
    return chain.links().stream()
        .filter(link -> link.roles().contains(ChildRole.COW))
        .map(BlockEdge::node)
        .reduce(chain.top(), (_, lower) -> lower);
  }

  private static Optional<BlockNode> node(
      BlockGraph graph,
      BackingChain chain,
      String word,
      Optional<String> file,
      Optional<String> name)
      throws BlockException {
    if (file.isPresent() && name.isPresent()) {
      throw new BlockException("'%s-node' and '%s' are mutually exclusive".formatted(word, word));
    }
    if (name.isPresent()) {
      BlockNode node = graph.find(name.get());
      if (chain.downTo(node).isEmpty()) {
        throw new BlockException(
            "Node '%s' is not in the backing chain of '%s'"
                .formatted(node.name(), chain.top().name()));
      }
      return Optional.of(node);
    }
    if (file.isEmpty()) {
      return Optional.empty();
    }
    Optional<BlockNode> found = chain.find(file.get());
    if (found.isEmpty()) {
      throw new BlockException("Can't find '%s' in the backing chain".formatted(file.get()));
    }
    return found;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.job.JobOptions;
import java.util.Optional;

/**
 * What users say of a stream, in QAPI's words. At most one of {@code base}, {@code baseNode} and
 * {@code bottom}; without any, the node stands alone in the end.
 *
 * @param job what they say of every job; {@code on-error} is {@link JobOptions#onSourceError}
 * @param base the file name of the node that stays as the backing file
 * @param baseNode {@code base-node}: the name of that node
 * @param bottom the name of the last node whose data is copied
 * @param backingFile {@code backing-file}: what the image is to name as its backing file; the
 *     base's file otherwise
 * @param filterNodeName {@code filter-node-name}: of the filter that does the copying
 */
public record StreamOptions(
    JobOptions job,
    Optional<String> base,
    Optional<String> baseNode,
    Optional<String> bottom,
    Optional<String> backingFile,
    Optional<String> filterNodeName) {
  /** All of the chain, with QEMU's defaults. */
  public static StreamOptions of(JobOptions job) {
    return new StreamOptions(
        job,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  /** The same down to a node, which stays. */
  public StreamOptions onto(String node) {
    return new StreamOptions(job, base, Optional.of(node), bottom, backingFile, filterNodeName);
  }

  /** The same with the name that the image is to have for its backing file. */
  public StreamOptions naming(String file) {
    return new StreamOptions(job, base, baseNode, bottom, Optional.of(file), filterNodeName);
  }

  /**
   * The job that does it. Control side.
   *
   * @param node what is streamed into, or a filter before it
   * @throws BlockException if what is said does not go together, or the nodes are not in the node's
   *     chain: nobody is told of a job, then
   */
  public StreamJob job(BlockGraph graph, BlockNode node) throws BlockException {
    StreamJob stream = new StreamJob(graph, node, this);
    stream.findChain();
    return stream;
  }

  void check() throws BlockException {
    checkOne("base", base, "base-node", baseNode);
    checkOne("base", base, "bottom", bottom);
    checkOne("bottom", bottom, "base-node", baseNode);
    if (backingFile.isPresent() && base.isEmpty() && baseNode.isEmpty() && bottom.isEmpty()) {
      throw new BlockException("backing file specified, but streaming the entire chain");
    }
  }

  private static void checkOne(
      String word, Optional<String> value, String otherWord, Optional<String> other)
      throws BlockException {
    if (value.isPresent() && other.isPresent()) {
      throw new BlockException(
          "'%s' and '%s' cannot be specified at the same time".formatted(word, otherWord));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * Suspends requests at events and lets them go again, by tag (qemu-io's {@code break}, {@code
 * wait_break}, {@code resume} and {@code remove_break}). A suspended request stays in flight, so
 * who drains waits for it. Any thread, hence also while control work waits.
 */
public interface Breakpoints {
  /**
   * Suspends the next request that meets an event; one request for each call.
   *
   * @param tag names the breakpoint, and then the request; several may have the same
   */
  void breakOn(BlkdebugEvent event, String tag);

  /** Whether a request is suspended. */
  boolean isSuspended(String tag);

  /** Waits until a request is suspended. Any thread that may wait. */
  void awaitSuspended(String tag);

  /**
   * Lets the request go on that was suspended last.
   *
   * @throws BlockException if none is suspended
   */
  void resume(String tag) throws BlockException;

  /**
   * Takes all breakpoints of a tag away, and lets every request go on that they have suspended.
   *
   * @throws BlockException if there is neither
   */
  void removeBreak(String tag) throws BlockException;

  /**
   * The breakpoints of a node, or of the nearest one below it by the way of what stands for it.
   * Control side.
   *
   * @throws BlockException if there is no such node
   */
  static Breakpoints of(BlockNode node) throws BlockException {
    BlockNode current = node;
    while (!(current instanceof Breakpoints)) {
      current =
          current.children().stream()
              .filter(edge -> edge.roles().contains(ChildRole.PRIMARY))
              .findFirst()
              .orElseThrow(
                  () ->
                      new BlockException(
                          "Node '" + node.name() + "' has no blkdebug node at or below it"))
              .node();
    }
    return (Breakpoints) current;
  }
}

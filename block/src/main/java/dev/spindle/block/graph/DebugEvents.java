// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * A lane whose node wants to hear what the format above it is doing ({@code blkdebug}). A format
 * looks once, when it opens its own lane, whether its child's lane is one; if it is not, events
 * cost nothing. Owner thread of the context only.
 */
public interface DebugEvents {
  /**
   * Something happens that stands for no single request to the child. Returns when whoever was
   * interested lets it go on. On a virtual thread of the context.
   */
  void fire(BlkdebugEvent event);

  /**
   * Does what {@link BlockLane#submit} does, after the events that come before it; never waits: a
   * request that somebody suspends goes on later.
   */
  void submit(BlockRequest request, long offset, BlkdebugEvent... before);
}

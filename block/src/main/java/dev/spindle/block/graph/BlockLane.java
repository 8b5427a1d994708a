// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A node as seen from one AioContext: all that I/O from that context needs, found once, so that a
 * request passes without a lock or a look-up. Owner thread of the context only.
 */
public abstract class BlockLane {
  private static final Logger LOG = LoggerFactory.getLogger(BlockLane.class);

  private final BlockLane[] children;

  /**
   * Makes a lane.
   *
   * @param children all lanes that it sends requests to, if any
   */
  protected BlockLane(BlockLane... children) {
    this.children = children.clone();
  }

  /**
   * Carries a request out and hands it back with {@link BlockRequest#complete}, perhaps before it
   * returns. Never refuses.
   *
   * @param request what to do; its range has been checked against the node's length
   * @param offset start of the range within this node, in bytes: it takes the place of the
   *     request's own offset, which a node above may have translated
   */
  public abstract void submit(BlockRequest request, long offset);

  /**
   * As {@link #submit}, for a node that has kept the request for a while, or made it: nobody above
   * hears of what the submission throws, so the request fails with EIO then. Throws only what the
   * end of a request throws.
   */
  public final void sendOn(BlockRequest request, long offset) {
    int ends = request.ends();
    try {
      submit(request, offset);
    } catch (RuntimeException | Error e) {
      notSubmitted(request, ends, e);
    }
  }

  /** Deals with what a submission threw that began when the request had ended so often. */
  static void notSubmitted(BlockRequest request, int ends, Throwable cause) {
    if (!request.failUnlessEnded(ends)) {
      if (cause instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) cause;
    }
    LOG.error("a request could not be submitted", cause);
  }

  /**
   * Whether the node holds a range itself or has it read from a backing child. May wait for
   * metadata: on a virtual thread of the context. What a filter's child holds, the filter holds.
   *
   * @param offset start of the range in bytes
   * @param length of the range, positive
   * @return how many bytes from the start on are alike: positive if the node holds them itself,
   *     negative if it does not; never 0
   */
  public long allocated(long offset, long length) {
    return length;
  }

  /**
   * What is known of the start of a range. May wait for metadata: on a virtual thread of the
   * context. A filter says what its child says.
   *
   * @param offset start of the range in bytes
   * @param length of the range, positive
   */
  public BlockStatus blockStatus(long offset, long length) {
    return BlockStatus.allData(length);
  }

  /**
   * Where the start of a range is in the file of the layer that {@link #blockStatus} says holds it.
   * May wait for metadata: on a virtual thread of the context.
   *
   * @param offset start of the range in bytes
   * @param length of the range, positive; {@link #blockStatus} has found it alike
   */
  public HostRange hostRange(long offset, long length) {
    return HostRange.nowhere(length);
  }

  /**
   * Somebody waits for what was submitted here, with everybody else: no rate may hold it back,
   * neither here nor below, until {@link #hurryEnd}. Nests.
   */
  final void hurryBegin() {
    hurried(true);
    int begun = 0;
    try {
      for (; begun < children.length; begun++) {
        children[begun].hurryBegin();
      }
    } catch (RuntimeException | Error e) {
      // Whoever waits hears of it, and will not end it.
      while (--begun >= 0) {
        children[begun].hurryEnd();
      }
      hurried(false);
      throw e;
    }
  }

  /** Ends a {@link #hurryBegin}. */
  final void hurryEnd() {
    hurried(false);
    for (BlockLane child : children) {
      child.hurryEnd();
    }
  }

  /**
   * For a lane that limits a rate: lets everything pass, also what waits, or limits it again. Calls
   * nest and are to be counted.
   */
  protected void hurried(boolean on) {}

  /**
   * Whether a request leaves a node, and must not be carried out there.
   *
   * @param offset where it starts in the node, in bytes
   * @param nodeLength of the node, in bytes
   */
  protected static boolean leaves(BlockRequest request, long offset, long nodeLength) {
    return request.operation != BlockRequest.Operation.FLUSH
        && (offset < 0 || request.length < 0 || offset > nodeLength - request.length);
  }

  /** Gives up what the lane holds of its context. Nothing may be in flight on it. */
  public abstract void close();
}

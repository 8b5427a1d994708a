// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * A reusable ring operation: what an {@link AioContext} calls when a submission made with this
 * object's {@link #token} completes. Belongs to one context for life, and is pooled by whoever made
 * it. Owner thread only.
 */
public abstract class RingOp {
  final AioContext context;
  private final long token;

  /** Makes an operation of {@code context}; takes one slot of its completion table. */
  protected RingOp(AioContext context) {
    this.context = context;
    this.token = context.adopt(this);
  }

  /** The context whose ring this operation goes to. */
  public final AioContext context() {
    return context;
  }

  /** What to give the submission queue as user data. */
  public final long token() {
    return token;
  }

  /** Gives the slot back; nothing may be in flight, and the object is of no further use. */
  protected final void release() {
    context.release(this);
  }

  /**
   * The submission completed.
   *
   * @param result 0 or a byte count, or a negated errno
   * @param more whether it will complete again (a multishot poll still armed)
   */
  protected abstract void complete(int result, boolean more);
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.Timer;

/**
 * Gives a client's memory back while the client asks for nothing, piece by piece, so that others on
 * the context hardly notice. Belongs to one context at a time, between {@link #start} and {@link
 * #stop}.
 */
final class IdleMemory {
  /** After so long without a request a client counts as idle. */
  private static final long IDLE_NS = 1_000_000_000L;

  private static final long BETWEEN_PIECES_NS = 1_000_000L;

  private final PayloadMemory payloads;

  /** Null while it does not work. */
  private AioContext context;

  /** Null while there is nothing to give back. */
  private Timer timer;

  /** Whether there has been a request since the timer was started. */
  private boolean used;

  IdleMemory(PayloadMemory payloads) {
    this.payloads = payloads;
  }

  /** Goes to work on a context, the caller's. */
  void start(AioContext newContext) {
    context = newContext;
    lookAfter(IDLE_NS);
  }

  /** Ends {@link #start}, on the same context. */
  void stop() {
    if (timer != null) {
      timer.cancel();
      timer = null;
    }
    context = null;
  }

  /** There is a request. Allocates nothing, but for the first one after a while. */
  void use() {
    used = true;
    if (timer == null) {
      lookAfter(IDLE_NS);
    }
  }

  private void lookAfter(long ns) {
    timer = context.startTimer(ns, this::look);
  }

  private void look() {
    timer = null;
    if (used) {
      used = false;
      lookAfter(IDLE_NS);
    } else if (payloads.release()) {
      lookAfter(BETWEEN_PIECES_NS);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;

/** What the lanes of one context share: a queue, once one of them has had a request. */
final class FrontEndSeat {
  private final AioContext context;

  /** Lanes; guarded by the queues' lock. */
  int lanes;

  /** Of the context's thread. */
  FrontEndQueue queue;

  FrontEndSeat(AioContext context) {
    this.context = context;
  }

  AioContext context() {
    return context;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockRequest;

/**
 * A request from another context than its channel's: goes over to that, and comes back when it has
 * ended.
 */
final class RemoteRequest implements Runnable {
  private final Channel channel;
  private final AioContext origin;
  private final BlockRequest request;
  private final long offset;
  private final long length;

  RemoteRequest(
      Channel channel, AioContext origin, BlockRequest request, long offset, long length) {
    this.channel = channel;
    this.origin = origin;
    this.request = request;
    this.offset = offset;
    this.length = length;
  }

  /** On the channel's context. */
  @Override
  public void run() {
    channel.submit(request, offset, length, this);
  }

  /** On the channel's context. */
  void ended(int result) {
    // Its lane is open, so its context is there.
    origin.execute(() -> request.complete(result));
  }
}

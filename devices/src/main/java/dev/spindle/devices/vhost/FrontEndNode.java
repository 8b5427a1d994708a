// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.SharedMemory;

/** A disk that another process serves over vhost-user. */
final class FrontEndNode extends BlockNode {
  private final FrontEndOptions options;
  private final FrontEndLink link;

  private FrontEndNode(String name, AioContext home, FrontEndOptions options, FrontEndLink link) {
    super(name, FrontEndDriver.NAME, home);
    this.options = options;
    this.link = link;
  }

  /** Connects, and waits until the back end is ready. Control side. */
  static FrontEndNode open(String name, AioContext home, FrontEndOptions options)
      throws BlockException {
    return new FrontEndNode(name, home, options, FrontEndLink.open(name, options));
  }

  FrontEndQueues queues() {
    return link.queues();
  }

  @Override
  public long length() {
    return link.disk().length();
  }

  @Override
  public boolean readOnly() {
    return options.readOnly();
  }

  @Override
  public BlockLimits limits() {
    return new BlockLimits(link.disk().blockSize(), 1);
  }

  @Override
  protected String detail() {
    return options.path().toString();
  }

  @Override
  protected void memoryShared(SharedMemory memory) {
    link.share(memory);
  }

  @Override
  protected void memoryUnshared(SharedMemory memory) {
    link.unshare(memory);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new FrontEndLane(this, context);
  }

  @Override
  public void close() {
    link.close();
  }
}

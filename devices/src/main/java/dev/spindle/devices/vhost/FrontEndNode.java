// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.SharedMemory;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** A disk that another process serves over vhost-user. */
final class FrontEndNode extends BlockNode {
  /** Changed by reopening, in a drained section. */
  private volatile FrontEndOptions options;

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

  /** What can change is whether it is read-only; its length becomes what the back end has now. */
  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options given, GraphChange links)
      throws BlockException, OptionException {
    FrontEndOptions before = options;
    FrontEndDisk shown = link.disk();
    FrontEndOptions wanted = FrontEndOptions.from(given);
    before.checkSame(wanted);
    FrontEndDisk newest = link.newest();
    if (newest.readOnly() && !wanted.readOnly()) {
      throw new BlockException("The back end of node '" + name() + "' takes no writes");
    }
    options = wanted;
    link.show(newest);
    return new Transaction.Action() {
      @Override
      public void abort() {
        options = before;
        link.show(shown);
      }
    };
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

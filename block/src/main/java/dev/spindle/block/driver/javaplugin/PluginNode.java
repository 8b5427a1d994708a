// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/** A node that hands its requests to a plugin: a disk of its own, or a filter of its child. */
final class PluginNode extends BlockNode {
  /** A filter that shows other bytes than its child has is none to the graph. */
  private static final Set<ChildRole> OTHER_DATA = Set.of(ChildRole.DATA, ChildRole.PRIMARY);

  private final OpenPlugin plugin;
  private final LoadedPlugin loaded;
  private final OpeningOptions opening;

  /** Null for a plain driver, as the link is. */
  private final BlockNode firstChild;

  private final BlockEdge link;

  /** Whose turn it is, where requests come one after another; null otherwise. */
  private final ReentrantLock turn;

  /** Null unless requests run on threads of the node's own. */
  private final OwnThreads ownThreads;

  /** Keeps writes of parts of blocks from others to these blocks. */
  private final RangeLocks partialWrites = new RangeLocks();

  private final TransferBuffers buffers = new TransferBuffers();
  private final PluginFailures failures;

  /** By control work. */
  private boolean pluginClosed;

  /** A disk of its own. */
  PluginNode(
      String name,
      String driver,
      AioContext home,
      OpenPlugin plugin,
      LoadedPlugin loaded,
      OpeningOptions opening)
      throws BlockException {
    this(name, driver, home, null, plugin, loaded, opening);
  }

  /** A filter of {@code file}. */
  PluginNode(
      String name,
      String driver,
      BlockNode file,
      OpenPlugin plugin,
      LoadedPlugin loaded,
      OpeningOptions opening)
      throws BlockException {
    this(name, driver, file.context(), file, plugin, loaded, opening);
  }

  private PluginNode(
      String name,
      String driver,
      AioContext home,
      BlockNode file,
      OpenPlugin plugin,
      LoadedPlugin loaded,
      OpeningOptions opening)
      throws BlockException {
    super(name, driver, home);
    this.plugin = plugin;
    this.loaded = loaded;
    this.opening = opening;
    this.turn = plugin.serialized() ? new ReentrantLock(true) : null;
    this.failures = new PluginFailures(name);
    this.ownThreads = plugin.ownThreads() ? new OwnThreads(name) : null;
    this.firstChild = file;
    // The last thing, since it calls for permissions.
    this.link =
        file == null
            ? null
            : attachChild(file, "file", plugin.transparent() ? ChildRole.FILTER : OTHER_DATA);
  }

  OpenPlugin plugin() {
    return plugin;
  }

  ReentrantLock turn() {
    return turn;
  }

  OwnThreads ownThreads() {
    return ownThreads;
  }

  RangeLocks partialWrites() {
    return partialWrites;
  }

  TransferBuffers buffers() {
    return buffers;
  }

  PluginFailures failures() {
    return failures;
  }

  /** What it stands before; null if it is no filter. */
  private BlockNode child() {
    return link == null ? firstChild : link.node();
  }

  @Override
  public long length() {
    return plugin.transparent() ? child().length() : plugin.size();
  }

  @Override
  public boolean readOnly() {
    return opening.readOnly() || !plugin.writable() || (firstChild != null && child().readOnly());
  }

  @Override
  public BlockLimits limits() {
    if (firstChild == null) {
      return new BlockLimits(plugin.blockSize(), 1);
    }
    BlockLimits below = child().limits();
    return new BlockLimits(
        Math.max(plugin.blockSize(), below.requestAlignment()), below.memoryAlignment());
  }

  @Override
  protected String detail() {
    return loaded.name();
  }

  /** It never grows its child: it needs to write there no more than its users do. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    ChildPermissions needed = super.childPermissions(child, used, shared);
    return new ChildPermissions(used, needed.shared());
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    return opening.prepareReopen(this, options);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return firstChild == null
        ? new PluginLane(this, context)
        : new PluginLane(this, context, child().openLane(context), child().length());
  }

  @Override
  protected void settle() {
    if (!pluginClosed) {
      pluginClosed = true;
      loaded.close();
    }
  }

  @Override
  public void close() {
    settle();
    if (ownThreads != null) {
      ownThreads.close();
    }
    buffers.close();
    detachChildren();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendFlush;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where an export is opened: its node, what the user wants of any export, and what is around it.
 * Control side.
 */
public final class ExportSite {
  private static final Logger LOG = LoggerFactory.getLogger(ExportSite.class);

  private final BlockExports exports;
  private final ExportOptions options;
  private final BlockNode node;
  private final Optional<AioContext> wanted;

  ExportSite(
      BlockExports exports, ExportOptions options, BlockNode node, Optional<AioContext> wanted) {
    this.exports = exports;
    this.options = options;
    this.node = node;
    this.wanted = wanted;
  }

  /** What the user wants of any export. */
  public ExportOptions options() {
    return options;
  }

  /** What is to be served. */
  public BlockNode node() {
    return node;
  }

  /** The loop that control work runs on. */
  public MainLoop mainLoop() {
    return exports.mainLoop();
  }

  /** The exports there are, and their servers. */
  public BlockExports exports() {
    return exports;
  }

  /**
   * Takes hold of the node with the permissions that the options call for, in the iothread that
   * they name: clients may read, and write if the export is writable; everybody else may do what he
   * likes, as with QEMU's exports.
   *
   * @param user the export, which is asked whenever the node is to change context, unless the
   *     iothread is fixed
   * @throws BlockException if the node cannot be used so, or cannot move to a fixed iothread
   */
  public BlockBackend openBackend(BackendUser user) throws BlockException {
    AioContext before = node.context();
    if (wanted.isPresent()) {
      move(wanted.get());
    }
    Set<Permission> used = EnumSet.of(Permission.CONSISTENT_READ);
    if (options.writable()) {
      used.add(Permission.WRITE);
    }
    BackendUser root = options.fixedIoThread() ? new FixedUser(user) : user;
    try {
      BlockBackend backend = new BlockBackend(node, root, used, Permission.all());
      backend.setWriteThrough(options.writeThrough());
      return backend;
    } catch (BlockException e) {
      if (node.context() != before) {
        ContextChange.run(node, before);
      }
      throw e;
    }
  }

  private void move(AioContext target) throws BlockException {
    try {
      ContextChange.run(node, target);
    } catch (BlockException e) {
      if (options.fixedIoThread()) {
        throw e;
      }
      LOG.info("export '{}' works where its node is: {}", options.id(), e.getMessage());
    }
  }

  /** Begins to make durable what clients wrote, if they may. Control side. */
  Optional<BackendFlush> beginFlush(BlockBackend backend) {
    return options.writable()
        ? Optional.of(backend.beginFlush(mainLoop().context()))
        : Optional.empty();
  }

  /** An export that does not go elsewhere. */
  private record FixedUser(BackendUser user) implements BackendUser {
    @Override
    public String describe() {
      return user.describe();
    }

    @Override
    public Runnable drainedBegin() {
      return user.drainedBegin();
    }

    @Override
    public boolean stopsByItself() {
      return user.stopsByItself();
    }

    @Override
    public void drainedEnd() {
      user.drainedEnd();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.linux.LinuxFile;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/** An open image file. */
final class FileNode extends BlockNode {
  private final LinuxFile file;
  private final FileOptions options;
  private final ImageLock imageLock;
  private final long length;
  private final BlockLimits limits;

  /** Held around each read-modify-write, so that two halves of one block do not undo each other. */
  final ReentrantLock unalignedWrites = new ReentrantLock();

  FileNode(
      String name,
      AioContext context,
      LinuxFile file,
      FileOptions options,
      long length,
      BlockLimits limits) {
    super(name, "file", context);
    this.file = file;
    this.options = options;
    this.imageLock = new ImageLock(file);
    this.length = length;
    this.limits = limits;
  }

  LinuxFile file() {
    return file;
  }

  FileOptions options() {
    return options;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public boolean readOnly() {
    return options.readOnly();
  }

  @Override
  public BlockLimits limits() {
    return limits;
  }

  @Override
  protected Transaction.Action preparePermissions(Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    return options.locking() ? imageLock.prepare(used, shared) : Transaction.NOTHING;
  }

  @Override
  public BlockLane openLane(AioContext context) {
    return new FileLane(this, context);
  }

  @Override
  public void close() {
    file.close();
  }
}

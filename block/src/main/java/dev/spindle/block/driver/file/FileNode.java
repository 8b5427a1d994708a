// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.LinuxFile;
import java.util.Set;

/** An open image file. */
final class FileNode extends BlockNode {
  /**
   * The file as it was first opened: it carries the locks, which other processes must find without
   * a gap, while reopening may put another descriptor in the place of {@link OpenImage#file}.
   */
  private final LinuxFile lockFile;

  private final ImageLock imageLock;

  /** Changed by reopening, in a drained section; lanes opened before keep to what they found. */
  private volatile OpenImage image;

  private final BlockWrites writes = new BlockWrites();

  FileNode(String name, AioContext home, OpenImage image) {
    super(name, "file", home);
    this.image = image;
    this.lockFile = image.file();
    this.imageLock = new ImageLock(lockFile);
  }

  OpenImage image() {
    return image;
  }

  BlockWrites writes() {
    return writes;
  }

  @Override
  public long length() {
    return image.length();
  }

  @Override
  public boolean readOnly() {
    return image.options().readOnly();
  }

  @Override
  protected String detail() {
    return image.options().filename().toString();
  }

  @Override
  public BlockLimits limits() {
    return image.limits();
  }

  @Override
  protected Transaction.Action preparePermissions(Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    return image.options().locking() ? imageLock.prepare(used, shared) : Transaction.NOTHING;
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    OpenImage before = image;
    FileOptions wanted = FileOptions.from(options);
    checkSame("filename", before.options().filename(), wanted.filename());
    checkSame("locking", before.options().locking(), wanted.locking());
    OpenImage after = OpenImage.open(wanted);
    image = after;
    return new Transaction.Action() {
      private OpenImage unused = after;

      @Override
      public void commit() {
        unused = before;
      }

      @Override
      public void abort() {
        image = before;
      }

      @Override
      public void clean() {
        if (unused.file() != lockFile) {
          unused.file().close();
        }
      }
    };
  }

  private static void checkSame(String option, Object before, Object after) throws BlockException {
    if (!before.equals(after)) {
      throw new BlockException("Cannot change the option '" + option + "'");
    }
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new FileLane(this, context);
  }

  @Override
  public void close() {
    if (image.file() != lockFile) {
      image.file().close();
    }
    lockFile.close();
  }
}

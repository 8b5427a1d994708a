// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.CacheUse;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.image.PreallocatingImage;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.image.StoredImage;
import dev.spindle.block.job.create.ImageCreation.Steps;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/** An open image file. */
final class FileNode extends BlockNode implements StoredImage, PreallocatingImage {
  /**
   * The file as it was first opened: it carries the locks, which other processes must find without
   * a gap, while reopening may put another descriptor in the place of {@link OpenImage#file}.
   */
  private final LinuxFile lockFile;

  private final ImageLock imageLock;

  /** Changed by reopening, in a drained section; lanes opened before keep to what they found. */
  private volatile OpenImage image;

  private final BlockWrites writes = new BlockWrites();

  /**
   * In bytes; grows with what is written past the end by who may do that. Changed by who holds its
   * monitor, so that no cut meets a write on its way past the former end.
   */
  private final AtomicLong length;

  /** Whether somebody uses {@link Permission#RESIZE}. */
  private volatile boolean growable;

  FileNode(String name, AioContext home, OpenImage image) {
    super(name, "file", home);
    this.image = image;
    this.length = new AtomicLong(image.length());
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
    return length.get();
  }

  /** Whether a write past the end makes the file longer. Any thread. */
  boolean growable() {
    return growable;
  }

  /**
   * A write is about to be sent that ends at {@code end}, in bytes, which is past the file's end.
   * Until it is done, what it has not come to reads as zeroes. Any thread.
   */
  void willWriteTo(long end) {
    synchronized (length) {
      length.set(Math.max(length.get(), (end + 511) & -512));
    }
  }

  /** Makes the file long enough for {@code end}, in bytes. Any thread. */
  void growTo(long end) throws LinuxException {
    synchronized (length) {
      if (end > length.get()) {
        cut((end + 511) & -512);
      }
    }
  }

  @Override
  public void resize(long newLength) throws BlockException {
    try {
      synchronized (length) {
        cut((newLength + 511) & -512);
      }
    } catch (LinuxException e) {
      throw new BlockException("Cannot resize '" + lockFile.path() + "': " + e.reason(), e);
    }
  }

  private void cut(long newLength) throws LinuxException {
    image.file().setLength(newLength);
    length.set(newLength);
  }

  @Override
  public OptionalLong storedBytes() {
    try {
      return OptionalLong.of(image.file().allocatedBytes());
    } catch (LinuxException e) {
      return OptionalLong.empty();
    }
  }

  @Override
  public void preallocate(long from, Preallocation mode) throws BlockException {
    if (mode == Preallocation.METADATA) {
      throw new BlockException("Unsupported preallocation mode: " + mode.word());
    }
    new FileSpace(context(), image.file(), mode).take(from, length(), Steps.IGNORED);
  }

  @Override
  public Optional<Path> localFile() {
    return Optional.of(image.options().filename());
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
    Transaction.Action locks =
        image.options().locking() ? imageLock.prepare(used, shared) : Transaction.NOTHING;
    boolean before = growable;
    growable = used.contains(Permission.RESIZE);
    return Transaction.both(
        locks,
        new Transaction.Action() {
          @Override
          public void abort() {
            growable = before;
          }
        });
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    OpenImage before = image;
    FileOptions wanted = FileOptions.from(options);
    checkSame("filename", before.options().filename(), wanted.filename());
    checkSame("locking", before.options().locking(), wanted.locking());
    OpenImage after = OpenImage.open(wanted);
    long lengthBefore = length.get();
    image = after;
    length.set(after.length());
    return new Transaction.Action() {
      private OpenImage unused = after;

      @Override
      public void commit() {
        unused = before;
      }

      @Override
      public void abort() {
        image = before;
        length.set(lengthBefore);
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

  @Override
  public CacheUse cacheUse() {
    return new CacheUse(image.options().direct(), image.options().noFlush());
  }
}

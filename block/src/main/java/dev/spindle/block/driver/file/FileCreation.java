// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.job.JobCancelledException;
import dev.spindle.block.job.create.ImageCreation;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.OpenFlag;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;

/**
 * A new file of zeroes, in QAPI's words (BlockdevCreateOptionsFile).
 *
 * @param filename made if it is not there; otherwise emptied, unless somebody uses it
 * @param size in bytes, a multiple of 512
 * @param preallocation whether its space is taken at once
 */
public record FileCreation(Path filename, long size, Preallocation preallocation)
    implements ImageCreation {
  /** Reads {@code filename}, {@code size} and {@code preallocation}. */
  public static FileCreation from(Options options) throws OptionException {
    Path filename = Path.of(options.require("filename"));
    if (options.peek("size").isEmpty()) {
      throw options.missing("size");
    }
    long size = (options.size("size", 0) + 511) & -512;
    if (size < 0) {
      throw new OptionException(options.owner() + ": parameter 'size' is too large");
    }
    Preallocation preallocation =
        switch (options.choice("preallocation", "off", "off", "falloc", "full")) {
          case "falloc" -> Preallocation.FALLOC;
          case "full" -> Preallocation.FULL;
          default -> Preallocation.OFF;
        };
    return new FileCreation(filename, size, preallocation);
  }

  @Override
  public void create(AioContext context, Steps steps) throws BlockException {
    try (LinuxFile made = make()) {
      if (made != null) {
        fillNew(made, context, steps);
        return;
      }
      try (LinuxFile file = LinuxFile.open(filename, OpenFlag.READ_WRITE)) {
        if (file.type() != LinuxFile.Type.REGULAR) {
          throw new BlockException("'" + filename + "' is not a regular file");
        }
        lock(file);
        fill(file, context, steps);
      }
    } catch (LinuxException e) {
      throw new BlockException("Could not create '" + filename + "': " + e.reason(), e);
    }
  }

  /** Makes the file; null if there is something of that name. */
  private LinuxFile make() throws LinuxException {
    try {
      return LinuxFile.open(filename, OpenFlag.READ_WRITE, OpenFlag.CREATE, OpenFlag.EXCLUSIVE);
    } catch (LinuxException e) {
      if (e.errno() == Errno.EEXIST) {
        return null;
      }
      throw e;
    }
  }

  private void fillNew(LinuxFile file, AioContext context, Steps steps)
      throws BlockException, LinuxException {
    lock(file);
    try {
      fill(file, context, steps);
    } catch (BlockException | LinuxException | RuntimeException | Error e) {
      remove(file, e);
      throw e;
    }
  }

  /** Takes away the name again, unless another file has it by now. The file is locked. */
  private void remove(LinuxFile file, Throwable reason) {
    try {
      Path own = Path.of("/proc/self/fd").resolve(Integer.toString(file.fd().number()));
      if (Files.isSameFile(own, filename)) {
        Files.delete(filename);
      }
    } catch (IOException e) {
      reason.addSuppressed(e);
    }
  }

  /** Given up with the file. */
  private static void lock(LinuxFile file) throws BlockException {
    new ImageLock(file).prepare(EnumSet.of(Permission.WRITE, Permission.RESIZE), Permission.none());
  }

  private void fill(LinuxFile file, AioContext context, Steps steps)
      throws BlockException, LinuxException {
    file.setLength(0);
    file.setLength(size);
    preallocate(context, file, steps);
  }

  private void preallocate(AioContext context, LinuxFile file, Steps steps) throws BlockException {
    if (preallocation == Preallocation.OFF) {
      return;
    }
    steps.total(size);
    try {
      new FileSpace(context, file, preallocation).take(0, size, steps);
    } catch (JobCancelledException e) {
      throw e;
    } catch (BlockException e) {
      throw new BlockException("Could not create '" + filename + "': " + e.getMessage(), e);
    }
  }
}

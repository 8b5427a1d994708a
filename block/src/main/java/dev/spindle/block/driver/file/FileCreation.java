// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.StraightLine;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.job.create.ImageCreation;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
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
  /** How space is taken. */
  public enum Preallocation {
    /** When it is written to. */
    OFF,
    /** By asking the file system for it. */
    FALLOC,
    /** By writing zeroes. */
    FULL
  }

  /** Bytes that are allocated in one go. */
  private static final long RANGE = 64 << 20;

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
    IoVector zeroes = new IoVector(Zeroes.MAX_RANGES);
    int handle = context.ring().registerFile(file.fd());
    try {
      for (long done = 0; done < size; ) {
        long offset = done;
        long result;
        if (preallocation == Preallocation.FALLOC) {
          long length = Math.min(RANGE, size - offset);
          int status =
              StraightLine.run(
                  context, (queue, token) -> queue.prepZeroRange(handle, offset, length, token));
          result = status < 0 ? status : length;
        } else {
          Zeroes.fill(zeroes, size - offset);
          result =
              StraightLine.run(
                  context, (queue, token) -> queue.prepWrite(handle, zeroes, offset, false, token));
        }
        done += check(result);
        steps.done(Math.max(0, result));
      }
    } finally {
      context.ring().unregisterFile(handle);
    }
  }

  /** How much was done: nothing if it has to be tried again. */
  private long check(long result) throws BlockException {
    if (result == -Errno.EINTR || result == -Errno.EAGAIN) {
      return 0;
    }
    if (result <= 0) {
      int errno = result == 0 ? Errno.ENOSPC : Math.toIntExact(-result);
      throw new BlockException("Could not create '" + filename + "': " + Errno.message(errno));
    }
    return result;
  }
}

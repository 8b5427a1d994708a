// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.OpenFlag;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * The file that a benchmark reads and overwrites. All of it has been written: reading a hole, or
 * space that is only set aside, does not reach the disk.
 *
 * @param temporary whether it goes when the benchmark is over
 */
record BenchFile(Path path, boolean temporary) implements AutoCloseable {
  private static final long BYTES = 1L << 30;

  /** Less would fit into the disk's own cache. */
  private static final long LEAST_BYTES = 1L << 20;

  /** Makes a file of 1 GiB in this folder, for one benchmark. */
  static BenchFile makeTemporary() throws IOException {
    Path made =
        Remains.make(
            () -> Files.createTempFile(Path.of("").toAbsolutePath(), "spindle-bench-", ".raw"));
    fill(made, BYTES);
    return new BenchFile(made, true);
  }

  /**
   * Takes the user's file, or block device; makes one of 1 GiB, which stays, if there is none.
   *
   * @throws IOException with a sentence for the user, if it is no good
   */
  static BenchFile of(Path path) throws IOException {
    return of(path, BYTES);
  }

  static BenchFile of(Path path, long bytesIfNew) throws IOException {
    if (Files.notExists(path, LinkOption.NOFOLLOW_LINKS)) {
      fill(path, bytesIfNew);
    } else {
      check(path);
    }
    return new BenchFile(path, false);
  }

  private static void check(Path path) throws IOException {
    try (LinuxFile file = LinuxFile.open(path)) {
      if (file.type() != LinuxFile.Type.REGULAR && file.type() != LinuxFile.Type.BLOCK_DEVICE) {
        throw refusal(path, "is neither a regular file nor a block device");
      }
      if (file.size() < LEAST_BYTES) {
        throw refusal(path, "has " + file.size() + " bytes, expected 1 MiB at least");
      }
      OptionalLong hole =
          file.type() == LinuxFile.Type.REGULAR ? file.nextHole(0) : OptionalLong.empty();
      if (hole.isPresent() && hole.getAsLong() < file.size()) {
        throw refusal(
            path,
            "has a hole at byte "
                + hole.getAsLong()
                + ", and reading holes does not reach the disk: fill it, or name a file that does"
                + " not exist, to have it made");
      }
    } catch (LinuxException e) {
      throw refusal(path, "cannot be opened: " + e.reason());
    }
  }

  private static void fill(Path path, long bytes) throws IOException {
    try (LinuxFile file = LinuxFile.open(path, OpenFlag.READ_WRITE, OpenFlag.CREATE);
        Arena arena = Arena.ofConfined()) {
      MemorySegment megabyte = arena.allocate(1 << 20).fill((byte) 0x5a);
      for (long written = 0; written < bytes; written += megabyte.byteSize()) {
        file.write(written, megabyte);
      }
      file.sync();
    } catch (LinuxException e) {
      if (Files.exists(path)) {
        Files.delete(path);
      }
      throw refusal(path, "cannot be made with " + (bytes >> 20) + " MiB: " + e.reason());
    }
  }

  private static IOException refusal(Path path, String what) {
    return new IOException("the benchmark's file '" + path + "' " + what);
  }

  @Override
  public void close() throws IOException {
    if (temporary) {
      Remains.delete(path);
    }
  }
}

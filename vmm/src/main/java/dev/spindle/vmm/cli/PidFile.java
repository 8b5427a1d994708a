// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.OpenFlag;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * A file with this process's number in it, locked for as long as the process lives and removed at
 * its end. One that somebody else holds, or that has anything but a number in it, is left alone.
 */
final class PidFile implements AutoCloseable {
  private static final int MOST_BYTES = 32;
  private static final Pattern CONTENTS = Pattern.compile("\\s*\\d*\\s*");

  private final Path path;

  /** Null until it is written. With this object's lock. */
  private LinuxFile file;

  private PidFile(Path path) {
    this.path = path;
  }

  /**
   * Takes a look at what is there, and makes nothing yet.
   *
   * @throws IOException if it could not be written
   */
  static PidFile at(Path path) throws IOException {
    PidFile pidFile = new PidFile(path);
    try (LinuxFile found = LinuxFile.open(path, OpenFlag.READ_WRITE, OpenFlag.NON_BLOCKING)) {
      pidFile.check(found);
    } catch (LinuxException e) {
      if (e.errno() != Errno.ENOENT) {
        throw pidFile.failed("cannot be written", e);
      }
    }
    return pidFile;
  }

  /**
   * Creates it, or takes over one that a dead process has left.
   *
   * @throws IOException if that is not possible, or a process that lives holds it
   */
  synchronized void write() throws IOException {
    while (file == null) {
      LinuxFile opened;
      try {
        opened = LinuxFile.open(path, OpenFlag.READ_WRITE, OpenFlag.CREATE, OpenFlag.NON_BLOCKING);
      } catch (LinuxException e) {
        throw failed("cannot be created", e);
      }
      try (Arena arena = Arena.ofConfined()) {
        check(opened);
        // Whoever held it until now may have removed it before he let go.
        if (leadsTo(opened)) {
          String number = ProcessHandle.current().pid() + "\n";
          opened.setLength(0);
          opened.write(
              0, arena.allocateFrom(number, StandardCharsets.US_ASCII).asSlice(0, number.length()));
          file = opened;
        }
      } catch (LinuxException e) {
        throw failed("cannot be written", e);
      } finally {
        if (file == null) {
          opened.close();
        }
      }
    }
  }

  /** Locks it, and sees that nothing is lost with its contents. */
  private void check(LinuxFile found) throws IOException {
    if (found.type() != LinuxFile.Type.REGULAR) {
      throw new IOException("--pidfile: '" + path + "' is no regular file");
    }
    if (!found.ofdLock(0, Long.MAX_VALUE, true)) {
      throw new IOException("--pidfile: '" + path + "' belongs to a process that is running");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment start = arena.allocate(MOST_BYTES + 1);
      long length = found.read(0, start);
      byte[] bytes = start.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
      if (length > MOST_BYTES
          || !CONTENTS.matcher(new String(bytes, StandardCharsets.ISO_8859_1)).matches()) {
        throw new IOException(
            "--pidfile: '" + path + "' is something else: it holds more than a number");
      }
    }
  }

  private boolean leadsTo(LinuxFile opened) throws IOException {
    try {
      return Files.isSameFile(
          Path.of("/proc/self/fd", Integer.toString(opened.fd().number())), path);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private IOException failed(String what, LinuxException cause) {
    return new IOException(
        "--pidfile: '%s' %s: %s".formatted(path, what, Errno.message(cause.errno())), cause);
  }

  @Override
  public String toString() {
    return path.toString();
  }

  /** Removes it, if it was written and nobody has put another one there, then lets go of it. */
  @Override
  public synchronized void close() throws IOException {
    if (file != null) {
      try {
        if (leadsTo(file)) {
          Files.deleteIfExists(path);
        }
      } finally {
        file.close();
        file = null;
      }
    }
  }
}

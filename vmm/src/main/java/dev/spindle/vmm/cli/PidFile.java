// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A file with this process's number in it, locked for as long as the process lives and removed at
 * its end.
 */
final class PidFile implements AutoCloseable {
  private final Path path;
  private final FileChannel channel;

  private PidFile(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /**
   * Creates it, or takes over one that a dead process has left.
   *
   * @throws IOException if that is not possible, or a process that lives holds it
   */
  static PidFile create(Path path) throws IOException {
    FileChannel channel;
    try {
      channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new IOException("--pidfile: '" + path + "' cannot be created", e);
    }
    try {
      if (!isLocked(channel)) {
        throw new IOException("--pidfile: '" + path + "' belongs to a process that is running");
      }
      channel.truncate(0);
      String number = ProcessHandle.current().pid() + "\n";
      channel.write(ByteBuffer.wrap(number.getBytes(StandardCharsets.US_ASCII)));
      return new PidFile(path, channel);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static boolean isLocked(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  @Override
  public void close() throws IOException {
    try {
      Files.deleteIfExists(path);
    } finally {
      channel.close();
    }
  }
}

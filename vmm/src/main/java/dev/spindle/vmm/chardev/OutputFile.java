// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/**
 * A file for a serial port's output. Until {@link #empty} it is as it was found: {@link #close}
 * deletes it if it was not there, so that a machine that cannot be made leaves nothing behind.
 */
final class OutputFile implements AutoCloseable {
  private final Path path;
  private final FileOutputStream stream;

  /** Whether nobody would miss it. */
  private boolean untouchedAndNew;

  private OutputFile(Path path, FileOutputStream stream, boolean isNew) {
    this.path = path;
    this.stream = stream;
    this.untouchedAndNew = isNew;
  }

  /**
   * Opens or creates a file.
   *
   * @throws IOException with a sentence for the user
   */
  static OutputFile open(Path path) throws IOException {
    boolean isNew = !Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    try {
      return new OutputFile(path, new FileOutputStream(path.toFile(), true), isNew);
    } catch (IOException e) {
      throw new IOException("--serial file: cannot write to " + e.getMessage(), e);
    }
  }

  /** What is written goes to the end of the file. */
  OutputStream stream() {
    return stream;
  }

  /** Begins to use it: what it held is gone. */
  void empty() throws IOException {
    untouchedAndNew = false;
    // A device or a pipe holds nothing, and says so with an error.
    if (Files.isRegularFile(path)) {
      stream.getChannel().truncate(0);
    }
  }

  @Override
  public void close() throws IOException {
    stream.close();
    if (untouchedAndNew) {
      Files.deleteIfExists(path);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A kernel or initrd file, kept open so that a reset loads the very file the machine began with.
 */
final class ImageFile implements AutoCloseable {
  private final String role;
  private final Path path;
  private final FileChannel channel;
  private final long size;

  private ImageFile(String role, Path path, FileChannel channel, long size) {
    this.role = role;
    this.path = path;
    this.channel = channel;
    this.size = size;
  }

  /**
   * Opens {@code path} for reading.
   *
   * @param role what the file is to the user, such as "kernel"
   * @throws BootException if it cannot be read or is empty
   */
  static ImageFile open(String role, Path path) throws BootException {
    FileChannel channel = null;
    try {
      if (Files.isDirectory(path)) {
        throw new BootException(sentence(role, path, "is a directory"));
      }
      channel = FileChannel.open(path, StandardOpenOption.READ);
      long size = channel.size();
      if (size == 0) {
        channel.close();
        throw new BootException(sentence(role, path, "is empty"));
      }
      return new ImageFile(role, path, channel, size);
    } catch (NoSuchFileException e) {
      throw new BootException(sentence(role, path, "does not exist"));
    } catch (AccessDeniedException e) {
      throw new BootException(sentence(role, path, "may not be read by this user"));
    } catch (BootException e) {
      throw e;
    } catch (IOException e) {
      throw new BootException(sentence(role, path, "cannot be read: " + e.getMessage()));
    }
  }

  long size() {
    return size;
  }

  /** Returns up to {@code length} bytes from {@code offset}, fewer at the end of the file. */
  ByteBuffer head(long offset, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(Math.clamp(size - offset, 0, length));
    read(offset, buffer);
    return buffer.flip().order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Copies bytes from {@code offset} straight into guest memory until {@code target} is full.
   *
   * @throws BootException if the file ends before
   */
  void load(long offset, MemorySegment target) throws IOException {
    // A ByteBuffer holds 2 GiB at most.
    final long step = 1L << 30;
    for (long done = 0; done < target.byteSize(); done += step) {
      long length = Math.min(step, target.byteSize() - done);
      read(offset + done, target.asSlice(done, length).asByteBuffer());
    }
  }

  /** An exception that says what is wrong with this file. */
  BootException problem(String what) {
    return new BootException(sentence(role, path, what));
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private void read(long offset, ByteBuffer target) throws IOException {
    long position = offset;
    while (target.hasRemaining()) {
      int count = channel.read(target, position);
      if (count < 0) {
        throw problem("ends at byte " + position + ", before what its header announces");
      }
      position += count;
    }
  }

  private static String sentence(String role, Path path, String what) {
    return role + " '" + path + "' " + what;
  }
}

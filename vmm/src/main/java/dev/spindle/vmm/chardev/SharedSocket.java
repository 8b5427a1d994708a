// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Poll;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Objects;

/**
 * A socket that one thread may read and another write while a third closes it: that wakes both, and
 * the descriptor goes when the last has left, so that nobody meets another file under its number.
 */
public final class SharedSocket implements AutoCloseable {
  private static final int READ_BYTES = 4096;

  /** What is done with the socket while it stays open. */
  @FunctionalInterface
  private interface Use<T> {
    T with(UnixSocket socket) throws LinuxException;
  }

  private final UnixSocket socket;

  // With this object's lock:
  private int users;
  private boolean closed;

  /** Owns the socket. */
  public SharedSocket(UnixSocket socket) {
    this.socket = socket;
  }

  private <T> T use(Use<T> use) throws IOException {
    synchronized (this) {
      if (closed) {
        throw new IOException("closed");
      }
      users++;
    }
    try {
      return use.with(socket);
    } finally {
      leave();
    }
  }

  private synchronized void leave() {
    users--;
    if (closed && users == 0) {
      socket.close();
    }
  }

  /** Waits for a connection. */
  public SharedSocket accept() throws IOException {
    return new SharedSocket(use(UnixSocket::accept));
  }

  /** Whether the other end is closed, whatever it has left to read. */
  boolean isPeerGone() {
    try {
      return use(open -> Poll.isHungUp(open.fd()));
    } catch (IOException e) {
      return true;
    }
  }

  /** Waits until all is written. */
  public void write(byte[] bytes, int offset, int length) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment rest = arena.allocate(length);
      MemorySegment.copy(bytes, offset, rest, ValueLayout.JAVA_BYTE, 0, length);
      while (rest.byteSize() > 0) {
        MemorySegment data = rest;
        rest = rest.asSlice(use(open -> open.send(data, List.of())));
      }
    }
  }

  /** What arrives; at its end {@link #close} is still to be called. */
  public InputStream input() {
    MemorySegment buffer = Arena.ofAuto().allocate(READ_BYTES);
    return new InputStream() {
      @Override
      public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
      }

      @Override
      public int read(byte[] bytes, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, bytes.length);
        if (length == 0) {
          return 0;
        }
        MemorySegment target = buffer.asSlice(0, Math.min(length, READ_BYTES));
        long size = use(open -> open.fd().read(target));
        MemorySegment.copy(target, ValueLayout.JAVA_BYTE, 0, bytes, offset, (int) size);
        return size == 0 ? -1 : (int) size;
      }
    };
  }

  /** Has whoever reads find the end; what is written still goes out. */
  public void endInput() {
    try {
      use(
          open -> {
            open.shutdownInput();
            return null;
          });
    } catch (IOException e) {
      // It is closed already, or the other end is.
    }
  }

  @Override
  public synchronized void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    if (users == 0) {
      socket.close();
    } else {
      socket.shutdown();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.serial;

import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serial output into a stream that may block, such as a terminal or a file: a buffer, and a thread
 * that empties it.
 *
 * <p>A guest writes byte by byte. So as not to wake the thread for each, it stays awake for a
 * moment after it has written, and then writes what has come in the meantime at once. If the stream
 * fails, output is dropped from then on.
 */
public final class StreamSink implements SerialSink, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(StreamSink.class);
  private static final int CAPACITY = 64 << 10;
  private static final long GATHER_NANOS = 1_000_000;
  private static final long CLOSE_MILLIS = 1_000;

  private final String name;
  private final OutputStream stream;
  private final Thread writer;
  private final Object lock = new Object();
  // All with the lock:
  private final ByteRing buffer = new ByteRing(CAPACITY);
  private Runnable onRoom = () -> {};
  private boolean refused;
  private boolean idle;
  private boolean failed;
  private boolean closed;

  /**
   * @param name what messages call it, such as {@code serial0}
   * @param stream flushed after each batch, and not closed
   */
  public StreamSink(String name, OutputStream stream) {
    this.name = name;
    this.stream = stream;
    writer = Thread.ofPlatform().daemon().name(name + "-output").start(this::run);
  }

  @Override
  public boolean offer(byte value) {
    synchronized (lock) {
      if (failed || closed) {
        return true;
      }
      if (buffer.room() == 0) {
        refused = true;
        return false;
      }
      buffer.put(value);
      if (idle) {
        idle = false;
        lock.notifyAll();
      }
      return true;
    }
  }

  @Override
  public void onRoom(Runnable action) {
    synchronized (lock) {
      onRoom = action;
    }
  }

  private void run() {
    byte[] batch = new byte[CAPACITY];
    try {
      for (int size = take(batch); size > 0; size = take(batch)) {
        stream.write(batch, 0, size);
        stream.flush();
        LockSupport.parkNanos(GATHER_NANOS);
      }
    } catch (IOException e) {
      LOG.warn("{}: output is dropped from now on: {}", name, e.getMessage());
      drop();
    } catch (InterruptedException e) {
      drop();
    }
  }

  /** Waits for output and takes all there is; 0 when there is none and will be none. */
  private int take(byte[] batch) throws InterruptedException {
    int size;
    Runnable roomAgain = null;
    synchronized (lock) {
      while (buffer.isEmpty() && !closed) {
        idle = true;
        lock.wait();
      }
      idle = false;
      size = buffer.takeAll(batch);
      if (refused) {
        refused = false;
        roomAgain = onRoom;
      }
    }
    if (roomAgain != null) {
      roomAgain.run();
    }
    return size;
  }

  private void drop() {
    Runnable roomAgain;
    synchronized (lock) {
      failed = true;
      buffer.clear();
      roomAgain = refused ? onRoom : null;
      refused = false;
    }
    if (roomAgain != null) {
      roomAgain.run();
    }
  }

  /**
   * Writes out what is buffered and ends the thread; gives up after a second if the stream does not
   * take it.
   */
  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
      lock.notifyAll();
    }
    LockSupport.unpark(writer);
    boolean interrupted = false;
    try {
      writer.join(CLOSE_MILLIS);
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (writer.isAlive()) {
      LOG.warn("{}: the rest of the output is lost, nobody takes it", name);
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

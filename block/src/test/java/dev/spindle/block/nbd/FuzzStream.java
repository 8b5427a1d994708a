// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A connection whose other end sends what an array holds, piece by piece, and then nothing more,
 * and takes all that it is sent.
 */
public final class FuzzStream implements NbdStream {
  /** As much as is kept of what is sent. */
  public static final int KEPT = 1 << 20;

  private final byte[] bytes;
  private int at;

  /** Bytes that come and go at a time; 0 for as many as there is room for. */
  private final int pieceBytes;

  private final ByteArrayOutputStream sent = new ByteArrayOutputStream();
  private AioContext context;
  private Listener listener;
  private boolean receiving;
  private boolean sending;
  private Runnable whenStopped;
  private volatile boolean closed;

  /**
   * Makes one.
   *
   * @param start where in the bytes
   * @param pieceBytes how many come and go at a time; 0 for as many as there is room for
   */
  public FuzzStream(byte[] bytes, int start, int pieceBytes) {
    this.bytes = bytes;
    this.at = start;
    this.pieceBytes = pieceBytes;
  }

  @Override
  public void start(AioContext newContext, Listener newListener) {
    context = newContext;
    listener = newListener;
  }

  @Override
  public void receive(IoVector buffers) {
    if (receiving || closed) {
      throw new IllegalStateException("a second receive");
    }
    receiving = true;
    context.execute(() -> received(buffers));
  }

  private void received(IoVector buffers) {
    receiving = false;
    int part = (int) Math.min(limit(buffers.totalBytes()), bytes.length - at);
    if (part > 0 && whenStopped == null) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment source = arena.allocate(part);
        MemorySegment.copy(bytes, at, source, ValueLayout.JAVA_BYTE, 0, part);
        buffers.copyFrom(0, source, 0, part);
      }
      at += part;
    }
    try {
      listener.received(whenStopped == null ? part : -Errno.ECANCELED);
    } finally {
      checkStopped();
    }
  }

  private long limit(long wanted) {
    return pieceBytes == 0 ? wanted : Math.min(wanted, pieceBytes);
  }

  @Override
  public void send(IoVector buffers) {
    if (sending || closed) {
      throw new IllegalStateException("a second send");
    }
    sending = true;
    context.execute(() -> sent(buffers));
  }

  private void sent(IoVector buffers) {
    sending = false;
    int part = (int) limit(buffers.totalBytes());
    if (whenStopped == null && sent.size() < KEPT) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment target = arena.allocate(Math.min(part, KEPT));
        buffers.copyTo(0, target, 0, target.byteSize());
        sent.writeBytes(target.toArray(ValueLayout.JAVA_BYTE));
      }
    }
    try {
      listener.sent(whenStopped == null ? part : -Errno.ECANCELED);
    } finally {
      checkStopped();
    }
  }

  @Override
  public void stop(Runnable stopped) {
    whenStopped = stopped;
    context.execute(this::checkStopped);
  }

  private void checkStopped() {
    if (whenStopped != null && !receiving && !sending) {
      Runnable stopped = whenStopped;
      whenStopped = null;
      stopped.run();
    }
  }

  @Override
  public void sendLast(MemorySegment bytes) {}

  @Override
  public void shutdown() {
    // The other end does not mind.
  }

  @Override
  public void close() {
    closed = true;
  }

  public boolean isClosed() {
    return closed;
  }

  /** The first that has been sent. */
  public byte[] sent() {
    return sent.toByteArray();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;

/**
 * The bytes to and from the other end in the transmission phase, plain or by TLS. Belongs to one
 * context at a time; between {@link #stop} and {@link #start} it may change hands. At most one
 * receive and one send are on their way.
 */
public interface NbdStream {
  /** Hears what became of them, on the context's thread and never within the call that began it. */
  interface Listener {
    /**
     * A receive has ended.
     *
     * @param result bytes received, from the start of the buffers on; 0 if the other end sends no
     *     more; a negated errno, ECANCELED if the stream has been stopped
     */
    void received(int result);

    /**
     * A send has ended.
     *
     * @param result bytes sent, from the start of the buffers on, maybe not all; a negated errno,
     *     ECANCELED if the stream has been stopped before any
     */
    void sent(int result);
  }

  /** Goes to work on the caller's context. */
  void start(AioContext context, Listener listener);

  /** Receives some bytes; the buffers stay as they are until the listener hears. */
  void receive(IoVector buffers);

  /** Sends the bytes; the buffers stay as they are until the listener hears. */
  void send(IoVector buffers);

  /**
   * Has what is on its way end, and the listener hear of it; nothing new is begun.
   *
   * @param stopped runs on this context when nothing is on its way; the stream may then start
   *     elsewhere
   */
  void stop(Runnable stopped);

  /**
   * Sends the last bytes, as far as there is room for them; nothing is being sent. Does not wait.
   *
   * @param bytes native memory
   */
  void sendLast(MemorySegment bytes);

  /** Has both ends, and whoever waits there, get to know that this is the end. Does not wait. */
  void shutdown();

  /** Gives up the socket. The stream has been stopped, or never started. */
  void close();
}

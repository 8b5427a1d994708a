// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.NbdStream;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;

/**
 * Replies on their way to a client: those that are ready go together, in one call, once those
 * before them are gone. Allocates nothing. Owner thread of the connection's context only.
 */
final class ReplyQueue {
  /** Each reply has a head, and maybe a payload. */
  private static final int RANGES_PER_REPLY = 2;

  private final NbdConnection connection;
  private final NbdStream stream;
  private final MemorySegment memory;
  private final IoVector buffers = new IoVector(IoVector.MAX_CAPACITY);

  private NbdRequest first;
  private NbdRequest last;

  /** Those whose bytes are in the buffers. */
  private NbdRequest firstSent;

  private NbdRequest lastSent;
  private boolean sending;

  ReplyQueue(NbdConnection connection, NbdStream stream, MemorySegment memory) {
    this.connection = connection;
    this.stream = stream;
    this.memory = memory;
  }

  /** Puts a reply behind the others. */
  void add(NbdRequest request) {
    request.nextInQueue = null;
    if (first == null) {
      first = request;
    } else {
      last.nextInQueue = request;
    }
    last = request;
  }

  boolean isEmpty() {
    return first == null && firstSent == null;
  }

  /** Sends what is ready, unless something is on its way; the rest of what was cut off first. */
  void send() {
    if (sending) {
      return;
    }
    if (buffers.totalBytes() == 0) {
      gather();
    }
    if (buffers.totalBytes() > 0) {
      sending = true;
      stream.send(buffers);
    }
  }

  private void gather() {
    while (first != null && buffers.count() + RANGES_PER_REPLY <= buffers.capacity()) {
      NbdRequest request = first;
      first = request.nextInQueue;
      request.nextInQueue = null;
      buffers.add(request.heads, request.headOffset, request.headBytes);
      if (request.replyBytes > 0) {
        buffers.add(memory, request.block, request.replyBytes);
      }
      if (firstSent == null) {
        firstSent = request;
      } else {
        lastSent.nextInQueue = request;
      }
      lastSent = request;
    }
  }

  /**
   * A send has ended.
   *
   * @return 0, or the negated errno with which the connection has ended
   */
  int sent(int result) {
    sending = false;
    if (result < 0) {
      return result == -Errno.ECANCELED ? 0 : result;
    }
    buffers.advance(result);
    if (buffers.totalBytes() == 0) {
      buffers.clear();
      while (firstSent != null) {
        NbdRequest request = firstSent;
        firstSent = request.nextInQueue;
        connection.putBack(request);
      }
    }
    return 0;
  }
}

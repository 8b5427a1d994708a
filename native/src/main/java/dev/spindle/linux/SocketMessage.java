// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.SocketLayouts.Msghdr;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The native {@code struct msghdr} for sending and receiving a list of buffers on a socket. Made
 * once and used again; allocates nothing then. While an operation that uses it is in flight, nobody
 * changes it or its buffers.
 */
public final class SocketMessage {
  private final IoVector buffers;
  private final MemorySegment header = Arena.ofAuto().allocate(Msghdr.SIZE, 8);
  private final MemorySegment readOnlyHeader = header.asReadOnly();

  /**
   * Makes a message.
   *
   * @param buffers what it consists of, as they are whenever it is used
   */
  public SocketMessage(IoVector buffers) {
    this.buffers = buffers;
    header.set(ValueLayout.JAVA_LONG, Msghdr.MSG_IOV, buffers.array().address());
  }

  /** What it consists of. */
  public IoVector buffers() {
    return buffers;
  }

  /** The native structure, read-only, with the buffers as they are now. */
  public MemorySegment header() {
    header.set(ValueLayout.JAVA_LONG, Msghdr.MSG_IOVLEN, buffers.count());
    return readOnlyHeader;
  }
}

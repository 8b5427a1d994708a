// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** An endpoint in the kernel's form ({@code struct sockaddr}), for operations on a ring. */
public final class SocketName {
  private final MemorySegment bytes;

  /**
   * Encodes an endpoint.
   *
   * @throws LinuxException ENAMETOOLONG if it is a path that is too long
   */
  public SocketName(Endpoint endpoint) throws LinuxException {
    this.bytes = SocketAddresses.encode(endpoint, "connect", Arena.ofAuto()).asReadOnly();
  }

  /** The native structure, read-only. */
  public MemorySegment bytes() {
    return bytes;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.linux.Endpoint;

/** Where a user wants a monitor. */
public sealed interface MonitorOption {
  /** On standard input and output. */
  record Stdio() implements MonitorOption {}

  /**
   * At a socket.
   *
   * @param name what messages call it
   * @param waitsForClient whether nothing begins before the first client has connected
   */
  record Server(String name, Endpoint endpoint, boolean waitsForClient) implements MonitorOption {}
}

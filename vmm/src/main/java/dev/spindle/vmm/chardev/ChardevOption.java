// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import java.nio.file.Path;

/** What a user connects a serial port to, in the form of {@code --serial}. */
public sealed interface ChardevOption {
  /** {@code stdio}: standard input and output, as a raw terminal if they are one. */
  record Stdio() implements ChardevOption {}

  /** {@code file:PATH}: output goes to a file, which is emptied first; there is no input. */
  record ToFile(Path path) implements ChardevOption {}

  /** Output goes to whoever embeds the machine, byte by byte; there is no input. */
  record ToSink(SerialSink sink) implements ChardevOption {}

  /**
   * {@code unix:PATH}: a stream socket.
   *
   * @param server whether to wait for connections at the path, one at a time; otherwise somebody
   *     does so already
   * @param waitForPeer whether a server waits for its first connection before the guest starts
   */
  record UnixSocket(Path path, boolean server, boolean waitForPeer) implements ChardevOption {}

  /** {@code null}: output vanishes, and there is no input. */
  record Null() implements ChardevOption {}

  /** {@code none}: the machine does not have the port. */
  record None() implements ChardevOption {}
}

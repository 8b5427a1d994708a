// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import java.io.IOException;
import java.util.Optional;

/** Opens what users connect serial ports to. */
public final class Chardevs {
  private Chardevs() {}

  /**
   * Opens what {@code option} describes.
   *
   * @param name what messages call it, such as {@code serial0}
   * @param quit ends Spindle, when the user says so with a key; called on any thread
   * @return empty if there is no port
   * @throws IOException with a sentence for the user
   */
  public static Optional<Chardev> open(String name, ChardevOption option, Runnable quit)
      throws IOException {
    return switch (option) {
      case ChardevOption.Stdio() -> Optional.of(new StdioChardev(quit));
      case ChardevOption.ToFile(var path) -> Optional.of(OutputChardev.toFile(name, path));
      case ChardevOption.ToSink(var sink) -> Optional.of(new SinkChardev(sink));
      case ChardevOption.UnixSocket(var path, boolean server, boolean waitForPeer) ->
          Optional.of(
              server
                  ? SocketChardev.listenAt(name, path, waitForPeer)
                  : SocketChardev.connectTo(name, path));
      case ChardevOption.Null() -> Optional.of(OutputChardev.discarding());
      case ChardevOption.None() -> Optional.empty();
    };
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.Uart16550;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;

/** The host's end of a serial port. */
public interface Chardev extends AutoCloseable {
  /** Returns where the port's output goes. */
  SerialSink sink();

  /**
   * Begins to pass input on to {@code port}. Called at most once, before the guest starts, which it
   * may never do.
   *
   * @throws IOException with a sentence for the user
   */
  void connect(Uart16550 port) throws IOException;

  /** Completes when the guest may start; before, somebody has yet to connect. Any thread. */
  default CompletableFuture<Void> ready() {
    return CompletableFuture.completedFuture(null);
  }

  /**
   * Does what cannot be undone, such as emptying a file: the guest starts now. Called at most once,
   * after {@link #connect}.
   *
   * @throws IOException with a sentence for the user
   */
  default void guestStarts() throws IOException {}

  /** Passes on the output still held back, as far as somebody takes it, and lets go. */
  @Override
  void close();
}

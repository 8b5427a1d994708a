// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.Uart16550;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.BooleanSupplier;

/** Carries what somebody types to a serial port, at the pace at which the guest reads it. */
final class InputPump {
  private static final int BATCH = 256;

  /** How long a guest that reads nothing keeps the place of a peer that is gone, milliseconds. */
  private static final long PATIENCE_MILLIS = 1_000;

  private final InputStream input;
  private final EscapeKeys escapes;
  private final Uart16550 port;
  private final BooleanSupplier peerGone;

  /**
   * Prepares to carry from {@code input}, with {@code escapes} acting on what passes.
   *
   * @param escapes null if everything goes to the guest
   */
  InputPump(InputStream input, EscapeKeys escapes, Uart16550 port) {
    this(input, escapes, port, () -> false);
  }

  /** Likewise; what is left of a peer that is gone is dropped when the guest does not read it. */
  InputPump(InputStream input, EscapeKeys escapes, Uart16550 port, BooleanSupplier peerGone) {
    this.input = input;
    this.escapes = escapes;
    this.port = port;
    this.peerGone = peerGone;
  }

  /** Carries until the input ends, or leads nowhere; returns then. */
  void run() throws IOException, InterruptedException {
    byte[] batch = new byte[BATCH];
    for (int size = input.read(batch); size >= 0; size = input.read(batch)) {
      int length = escapes == null ? size : escapes.filter(batch, size);
      int sent = 0;
      while (sent < length) {
        int taken = port.receive(batch, sent, length - sent);
        sent += taken;
        if (sent < length && !port.awaitRoom(PATIENCE_MILLIS) && peerGone.getAsBoolean()) {
          return;
        }
      }
    }
  }
}

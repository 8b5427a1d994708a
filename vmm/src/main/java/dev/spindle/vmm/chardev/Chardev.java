// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.Uart16550;

/** The host's end of a serial port. */
public interface Chardev extends AutoCloseable {
  /** Returns where the port's output goes. */
  SerialSink sink();

  /** Begins to pass input on to {@code port}. Called once. */
  void connect(Uart16550 port);

  /** Passes on the output still held back, as far as somebody takes it, and lets go. */
  @Override
  void close();
}

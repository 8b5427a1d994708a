// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.Uart16550;

/** A chardev without input whose output somebody else takes, straight from the vCPU. */
record SinkChardev(SerialSink sink) implements Chardev {
  @Override
  public void connect(Uart16550 port) {}

  @Override
  public void close() {}
}

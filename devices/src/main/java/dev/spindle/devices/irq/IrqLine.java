// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.irq;

/**
 * An input of the interrupt controller, as a wire that a device drives.
 *
 * <p>Any thread may call; a device whose threads may disagree about the level orders its own calls.
 * Setting the level it already has does nothing.
 */
@FunctionalInterface
public interface IrqLine {
  /** A wire that leads nowhere. */
  IrqLine UNCONNECTED = level -> {};

  /** Drives the wire: {@code true} asserts the interrupt, {@code false} takes it back. */
  void set(boolean level);
}

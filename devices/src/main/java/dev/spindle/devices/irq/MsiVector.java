// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.irq;

/**
 * One message-signalled interrupt: a message, and whether signalling its eventfd sends it.
 *
 * <p>While masked, the eventfd's own counter remembers that it was signalled; unmasking then sends
 * the message at once. Calls on one vector come from one thread at a time. A message that cannot be
 * delivered is the guest's loss: no method fails because of an address or data a guest chose.
 */
public interface MsiVector extends AutoCloseable {
  /**
   * Sets the message, masked or not.
   *
   * @param address where the message is written (64 bits; on a PC 0xFEE0_0000 and up)
   * @param data what is written there
   */
  void program(long address, int data);

  /** Lets signals of the eventfd through, those that wait included. */
  void unmask();

  /** Holds signals of the eventfd back. */
  void mask();

  /** Whether the vector is masked and a signal waits (PCI 3.0, 6.8.2.9: the pending bit). */
  boolean pending();

  /** Disconnects the eventfd, which stays open. */
  @Override
  void close();
}

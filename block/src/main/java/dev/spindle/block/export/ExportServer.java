// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

/**
 * A server that exports of some type are reached through, rather than each for itself. Exports find
 * it with {@link BlockExports#server}.
 */
public interface ExportServer {
  /** How errors name it: {@code NBD server}. */
  String describe();

  /**
   * Takes no more clients, and ends those that have not chosen an export; the others are served
   * until their exports end. The first thing when all ends. Control side; waits.
   */
  default void stopListening() {}

  /** Ends it, once its exports are closed. Control side; waits. */
  void close();
}

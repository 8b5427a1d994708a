// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

/**
 * A server that exports of some type are reached through, rather than each for itself. Exports find
 * it with {@link BlockExports#server}.
 */
public interface ExportServer {
  /** How errors name it: {@code NBD server}. */
  String describe();

  /** Ends it, once its exports are closed. Control side; waits. */
  void close();
}

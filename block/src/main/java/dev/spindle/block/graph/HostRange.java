// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * Where the start of a range is in the file that holds it.
 *
 * @param length bytes that lie there one after another, or are nowhere, at least 1
 * @param offset in bytes; -1 if the data is not in a file as it is
 */
public record HostRange(long length, long offset) {
  /** A range that is in no file as it is. */
  public static HostRange nowhere(long length) {
    return new HostRange(length, -1);
  }
}

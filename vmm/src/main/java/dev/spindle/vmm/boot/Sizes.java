// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

/** Spells sizes for messages. */
final class Sizes {
  private Sizes() {}

  /** Returns {@code bytes} in mebibytes, rounded up, such as "17 MiB". */
  static String mebibytes(long bytes) {
    return ((bytes + (1 << 20) - 1) >> 20) + " MiB";
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

/**
 * Random 4 KiB requests, all reads or all writes.
 *
 * @param write whether they are writes
 * @param depth requests in flight
 */
record Workload(boolean write, int depth) {
  static final int BLOCK_BYTES = 4096;

  /** As fio spells it. */
  String fioName() {
    return write ? "randwrite" : "randread";
  }

  @Override
  public String toString() {
    return fioName() + " 4k, depth " + depth;
  }
}

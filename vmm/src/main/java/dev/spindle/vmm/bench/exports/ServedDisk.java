// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

/** What is served. */
enum ServedDisk {
  /** The benchmark's file, past the page cache. */
  DIRECT("O_DIRECT"),
  /** The benchmark's file through the page cache. */
  CACHED("page cache"),
  /** A disk that does nothing, so that the server is all that takes time. */
  NULL("null");

  private final String title;

  ServedDisk(String title) {
    this.title = title;
  }

  @Override
  public String toString() {
    return title;
  }
}

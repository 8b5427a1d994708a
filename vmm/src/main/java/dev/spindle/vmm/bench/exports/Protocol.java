// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

/** How a disk is served. */
enum Protocol {
  VHOST_USER_BLK("vhost-user-blk"),
  NBD("NBD");

  private final String title;

  Protocol(String title) {
    this.title = title;
  }

  @Override
  public String toString() {
    return title;
  }
}

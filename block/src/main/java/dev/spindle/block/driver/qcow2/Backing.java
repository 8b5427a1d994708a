// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.IoVector;

/** What an image reads where it holds nothing itself, as straight-line code uses it. */
interface Backing {
  /** How long it is, in bytes; past that are zeroes. */
  long length();

  /** Reads into a part of a list of buffers; the range is inside. Waits. */
  void read(long offset, IoVector data, long position, long length) throws Qcow2Exception;
}

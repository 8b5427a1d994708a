// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.irq;

import dev.spindle.linux.EventFd;

/**
 * Guest memory writes that signal an eventfd instead of stopping a vCPU. Any thread may call, also
 * while vCPUs run; a write at the very moment of a call takes one way or the other.
 */
public interface IoEventFds {
  /**
   * From now on a guest's write of {@code size} bytes at {@code gpa} signals {@code fd}, whatever
   * value it writes.
   *
   * @param gpa guest physical address
   * @param size 1, 2, 4 or 8; or 0 for a write of any size
   * @throws IllegalStateException if it cannot be had, in a sentence
   */
  void add(long gpa, int size, EventFd fd);

  /** Undoes {@link #add} of the same three values. */
  void remove(long gpa, int size, EventFd fd);
}

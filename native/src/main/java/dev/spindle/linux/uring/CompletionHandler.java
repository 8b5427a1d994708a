// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

/** Receives completion queue entries, on the ring's thread, in the order the kernel posted them. */
@FunctionalInterface
public interface CompletionHandler {
  /**
   * One completion.
   *
   * @param userData the number given at submission
   * @param result the operation's result: 0 or a count of bytes, or a negated errno
   * @param more whether the same submission will complete again (a multishot poll still armed)
   */
  void complete(long userData, int result, boolean more);
}

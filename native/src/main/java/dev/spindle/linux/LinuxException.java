// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import java.io.IOException;

/**
 * A system call failed. The message names the call, what it was applied to, and the error, as in
 * {@code open /srv/root.img: ENOENT (No such file or directory)}.
 */
public final class LinuxException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String call;
  private final int errno;

  /**
   * Describes a failure.
   *
   * @param call the system call, for an ioctl its name
   * @param subject what the call was applied to (a path, a descriptor's name); may be empty
   * @param errno the error number, positive
   */
  public LinuxException(String call, String subject, int errno) {
    super(call + (subject.isEmpty() ? "" : " " + subject) + ": " + reason(errno));
    this.call = call;
    this.errno = errno;
  }

  /** The system call that failed, as in {@code open} or {@code KVM_CREATE_VM}. */
  public String call() {
    return call;
  }

  /** The error number, one of the constants of {@link Errno}. */
  public int errno() {
    return errno;
  }

  /** The error alone, for sentences that name its subject themselves. */
  public String reason() {
    return reason(errno);
  }

  private static String reason(int errno) {
    return Errno.name(errno) + " (" + Errno.message(errno) + ")";
  }

  /** The error's symbolic name, as in {@code ENOENT}. */
  public String errnoName() {
    return Errno.name(errno);
  }

  /**
   * Passes a system call's result through, or throws if it is a negated errno.
   *
   * @param call the system call
   * @param subject what it was applied to; evaluated by the caller, so pass a string that is there
   *     anyway
   * @param result the kernel's word
   */
  public static long check(String call, String subject, long result) throws LinuxException {
    if (result < 0 && result >= -4095) {
      throw new LinuxException(call, subject, (int) -result);
    }
    return result;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import dev.spindle.linux.Errno;

/** The errors that the protocol knows; those of the system by the same numbers. */
public final class NbdError {
  public static final int EPERM = 1;
  public static final int EIO = 5;
  public static final int ENOMEM = 12;
  public static final int EINVAL = 22;
  public static final int ENOSPC = 28;
  public static final int EOVERFLOW = 75;
  public static final int ENOTSUP = 95;
  public static final int ESHUTDOWN = 108;

  private NbdError() {}

  /**
   * What to tell a client of an error of the system.
   *
   * @param errno positive
   */
  public static int ofErrno(int errno) {
    return switch (errno) {
      case Errno.EPERM, Errno.EROFS, Errno.EACCES -> EPERM;
      case Errno.EIO -> EIO;
      case Errno.ENOMEM -> ENOMEM;
      case Errno.ENOSPC, Errno.EDQUOT, Errno.EFBIG -> ENOSPC;
      case Errno.EOVERFLOW -> EOVERFLOW;
      case Errno.EOPNOTSUPP -> ENOTSUP;
      case Errno.ESHUTDOWN -> ESHUTDOWN;
      default -> EINVAL;
    };
  }

  /**
   * The system's error that comes nearest to what a server said; one that the protocol does not
   * know counts as EINVAL.
   */
  public static int toErrno(int error) {
    return switch (error) {
      case EPERM -> Errno.EPERM;
      case EIO -> Errno.EIO;
      case ENOMEM -> Errno.ENOMEM;
      case ENOSPC -> Errno.ENOSPC;
      case EOVERFLOW -> Errno.EOVERFLOW;
      case ENOTSUP -> Errno.EOPNOTSUPP;
      case ESHUTDOWN -> Errno.ESHUTDOWN;
      default -> Errno.EINVAL;
    };
  }
}

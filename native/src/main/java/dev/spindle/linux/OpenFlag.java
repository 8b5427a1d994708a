// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

/** What {@link LinuxFile#open} asks of open(2). Every file is closed on exec. */
public enum OpenFlag {
  /** For reading and writing; without it, for reading only. */
  READ_WRITE(FileConstants.O_RDWR),
  /** Create it if it does not exist (mode 0644 less the umask). */
  CREATE(FileConstants.O_CREAT),
  /** With {@link #CREATE}: fail if it exists. */
  EXCLUSIVE(FileConstants.O_EXCL),
  /** Cut it to length 0. */
  TRUNCATE(FileConstants.O_TRUNC),
  /** Past the page cache; memory, offsets and lengths must be aligned. */
  DIRECT(FileConstants.O_DIRECT),
  /** Every write returns with its data on the medium. */
  DATA_SYNC(FileConstants.O_DSYNC),
  /** Fail if the last part of the path is a symbolic link. */
  NO_FOLLOW(FileConstants.O_NOFOLLOW),
  /** Do not wait for a device or the other end of a FIFO to become ready. */
  NON_BLOCKING(FileConstants.O_NONBLOCK);

  private final int bits;

  OpenFlag(int bits) {
    this.bits = bits;
  }

  int bits() {
    return bits;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

/** What goes into and comes out of statx(2). */
@CConstants(headers = {"fcntl.h", "linux/stat.h"})
public final class StatxConstants {
  public static final int AT_EMPTY_PATH = 0x1000;
  public static final int STATX_BASIC_STATS = 0x7ff;
  public static final int STATX_DIOALIGN = 0x2000;
  public static final int S_IFMT = 0170000;
  public static final int S_IFREG = 0100000;
  public static final int S_IFBLK = 0060000;
  public static final int S_IFCHR = 0020000;
  public static final int S_IFDIR = 0040000;
  public static final int S_IFSOCK = 0140000;

  private StatxConstants() {}
}

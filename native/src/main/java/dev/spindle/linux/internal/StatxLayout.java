// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

/** {@code struct statx}. */
@CStruct(
    value = "struct statx",
    headers = {"linux/stat.h"})
public final class StatxLayout {
  public static final int SIZE = 256;
  public static final int STX_MASK = 0;
  public static final int STX_BLKSIZE = 4;
  public static final int STX_MODE = 28;
  public static final int STX_SIZE = 40;
  public static final int STX_BLOCKS = 48;
  public static final int STX_DIO_MEM_ALIGN = 152;
  public static final int STX_DIO_OFFSET_ALIGN = 156;

  private StatxLayout() {}
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

/** File systems that {@code struct statfs} tells apart. */
@CConstants(headers = {"linux/magic.h"})
public final class StatfsConstants {
  public static final int HUGETLBFS_MAGIC = 0x958458f6;

  private StatfsConstants() {}
}

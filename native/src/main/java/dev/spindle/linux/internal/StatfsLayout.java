// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

/** {@code struct statfs}. */
@CStruct(
    value = "struct statfs",
    headers = {"sys/statfs.h"})
public final class StatfsLayout {
  public static final int SIZE = 120;
  public static final int F_TYPE = 0;

  private StatfsLayout() {}
}

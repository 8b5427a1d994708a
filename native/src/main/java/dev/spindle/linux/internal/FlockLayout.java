// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

/** {@code struct flock}, as fcntl(2) takes it for record locks. */
@CStruct(
    value = "struct flock",
    headers = {"fcntl.h"})
public final class FlockLayout {
  public static final int SIZE = 32;
  public static final int L_TYPE = 0;
  public static final int L_WHENCE = 2;
  public static final int L_START = 8;
  public static final int L_LEN = 16;
  public static final int L_PID = 24;

  private FlockLayout() {}
}

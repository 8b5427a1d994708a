// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Numbers as they are on the wire: big-endian, at any address. */
public final class Wire {
  public static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  public static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  public static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private Wire() {}
}

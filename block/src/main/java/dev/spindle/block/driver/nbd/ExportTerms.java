// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.TransmissionFlags;

/**
 * What client and server have agreed on for one connection.
 *
 * @param size of the export in bytes
 * @param flags of {@link TransmissionFlags}
 * @param sizes what requests must keep to
 * @param style of requests and replies
 * @param context number of the metadata context, unsigned 32 bits; negative if there is none
 */
record ExportTerms(long size, int flags, BlockSizes sizes, HeaderStyle style, long context) {
  /** What requests rely on once they have been begun. */
  private static final int ABILITIES =
      TransmissionFlags.SEND_FLUSH
          | TransmissionFlags.SEND_FUA
          | TransmissionFlags.SEND_TRIM
          | TransmissionFlags.SEND_WRITE_ZEROES
          | TransmissionFlags.SEND_FAST_ZERO
          // With several connections, a flush by one is to cover what came by the others.
          | TransmissionFlags.CAN_MULTI_CONN;

  boolean has(int flag) {
    return (flags & flag) != 0;
  }

  boolean hasContext() {
    return context >= 0;
  }

  /**
   * Why a connection that has come to these terms cannot take the place of one with those, or null
   * if it can.
   */
  String unlike(ExportTerms before) {
    if (size != before.size) {
      return "the export has %d bytes now, and had %d".formatted(size, before.size);
    }
    boolean lacks = (before.flags & ABILITIES & ~flags) != 0;
    boolean refuses = has(TransmissionFlags.READ_ONLY) && !before.has(TransmissionFlags.READ_ONLY);
    if (lacks || refuses) {
      return "the export can do less than before (flags 0x%x, were 0x%x)"
          .formatted(flags, before.flags);
    }
    if (sizes.minimum() > before.sizes.minimum()) {
      return "the export wants blocks of %d bytes now, and took %d before"
          .formatted(sizes.minimum(), before.sizes.minimum());
    }
    if (before.hasContext() && !hasContext()) {
      return "the export does not tell its block status any more";
    }
    return null;
  }
}

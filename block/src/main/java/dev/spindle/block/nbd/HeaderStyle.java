// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** Which headers the two ends have agreed on for the requests and their replies. */
public enum HeaderStyle {
  /** Requests of 28 bytes, simple replies. */
  SIMPLE,
  /** Requests of 28 bytes; structured replies to reads at least. */
  STRUCTURED,
  /** Requests and replies of 32 bytes, with lengths of 64 bits. */
  EXTENDED;

  /** Bytes of a request before its payload. */
  public int requestBytes() {
    return this == EXTENDED ? RequestHeader.EXTENDED_BYTES : RequestHeader.COMPACT_BYTES;
  }

  /** Bytes of a piece of a reply before its payload. */
  public int replyBytes() {
    return switch (this) {
      case SIMPLE -> ReplyHeader.SIMPLE_BYTES;
      case STRUCTURED -> ReplyHeader.STRUCTURED_BYTES;
      case EXTENDED -> ReplyHeader.EXTENDED_BYTES;
    };
  }
}

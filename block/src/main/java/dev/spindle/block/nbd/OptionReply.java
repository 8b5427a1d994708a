// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** How a server answers an option (NBD_REP_…). */
public enum OptionReply {
  /** Done; or the end of a list. */
  ACK(1),
  /** One export of a list: length of the name (32 bits), name, description. */
  SERVER(2),
  /** Something about an export: {@link InfoType} (16 bits), then what it says. */
  INFO(3),
  /** A metadata context: its number (32 bits), then its name. */
  META_CONTEXT(4),
  /** The server does not know the option. */
  ERR_UNSUP(0x8000_0001),
  /** The server will not. */
  ERR_POLICY(0x8000_0002),
  /** The option makes no sense. */
  ERR_INVALID(0x8000_0003),
  /** The server's machine cannot do that. */
  ERR_PLATFORM(0x8000_0004),
  /** Not without TLS. */
  ERR_TLS_REQD(0x8000_0005),
  /** There is no such export. */
  ERR_UNKNOWN(0x8000_0006),
  /** The server is about to end. */
  ERR_SHUTDOWN(0x8000_0007),
  /** The client must ask for the block sizes. */
  ERR_BLOCK_SIZE_REQD(0x8000_0008),
  /** The option, or the answer, is too large. */
  ERR_TOO_BIG(0x8000_0009),
  /** Not without extended headers, or not with them. */
  ERR_EXT_HEADER_REQD(0x8000_000a);

  private static final int ERROR_BIT = 0x8000_0000;

  private final int number;

  OptionReply(int number) {
    this.number = number;
  }

  /** The number on the wire. */
  public int number() {
    return number;
  }

  /** Whether the option was refused; the data is a sentence then. */
  public boolean isError() {
    return isError(number);
  }

  /** As {@link #isError()}, of a number that may be none of these. */
  public static boolean isError(int number) {
    return (number & ERROR_BIT) != 0;
  }

  /** The reply of a number, or null if it is none of these. */
  public static OptionReply of(int number) {
    for (OptionReply reply : values()) {
      if (reply.number == number) {
        return reply;
      }
    }
    return null;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** What a client can ask for while it negotiates (NBD_OPT_…). */
public enum OptionType {
  /** Use an export, with no way to be refused but a closed connection. */
  EXPORT_NAME(1),
  /** End the negotiation and the connection. */
  ABORT(2),
  /** Name all exports. */
  LIST(3),
  /** Go on with TLS. */
  STARTTLS(5),
  /** Describe an export. */
  INFO(6),
  /** Use an export. */
  GO(7),
  /** Answer requests by structured replies. */
  STRUCTURED_REPLY(8),
  /** Name the metadata contexts of an export. */
  LIST_META_CONTEXT(9),
  /** Choose the metadata contexts that block status tells. */
  SET_META_CONTEXT(10),
  /** Requests and replies with headers of 32 bytes and lengths of 64 bits. */
  EXTENDED_HEADERS(11);

  private final int number;

  OptionType(int number) {
    this.number = number;
  }

  /** The number on the wire. */
  public int number() {
    return number;
  }

  /** The option of a number, or null if it is none of these. */
  public static OptionType of(int number) {
    for (OptionType type : values()) {
      if (type.number == number) {
        return type;
      }
    }
    return null;
  }
}

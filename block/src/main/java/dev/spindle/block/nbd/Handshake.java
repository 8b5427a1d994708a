// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** The first bytes of a connection (newstyle negotiation, and fixed newstyle negotiation). */
public final class Handshake {
  /** The server's first word: {@code NBDMAGIC}. */
  public static final long INIT_MAGIC = 0x4e42444d41474943L;

  /** The server's second word, and the first of each option: {@code IHAVEOPT}. */
  public static final long OPTION_MAGIC = 0x49484156454f5054L;

  /** The first word of each reply to an option. */
  public static final long REPLY_MAGIC = 0x3e889045565a9L;

  /** Server's flag: it answers options (NBD_FLAG_FIXED_NEWSTYLE). */
  public static final int FIXED_NEWSTYLE = 1;

  /** Server's flag: it can leave out the zeroes after an export's name (NBD_FLAG_NO_ZEROES). */
  public static final int NO_ZEROES = 1 << 1;

  /** Client's answer to {@link #FIXED_NEWSTYLE}. */
  public static final int CLIENT_FIXED_NEWSTYLE = 1;

  /** Client's answer to {@link #NO_ZEROES}. */
  public static final int CLIENT_NO_ZEROES = 1 << 1;

  /** Bytes of the server's greeting: two magic words and 16 flags. */
  public static final int GREETING_BYTES = 18;

  /** Bytes of the client's flags. */
  public static final int CLIENT_FLAGS_BYTES = 4;

  /** Bytes before an option's data: magic, option, length. */
  public static final int OPTION_HEADER_BYTES = 16;

  /** Bytes before the data of a reply to an option: magic, option, type, length. */
  public static final int REPLY_HEADER_BYTES = 20;

  /** Bytes of the answer to {@link OptionType#EXPORT_NAME} before the zeroes: size and flags. */
  public static final int EXPORT_BYTES = 10;

  /** Zeroes that follow those unless both ends agreed on {@link #NO_ZEROES}. */
  public static final int EXPORT_ZEROES = 124;

  /** The longest string (name, description, query, message) in bytes of UTF-8. */
  public static final int LONGEST_STRING = 4096;

  private Handshake() {}
}

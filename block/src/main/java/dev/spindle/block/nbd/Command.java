// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** What a client asks for once it uses an export (NBD_CMD_…), 16 bits. */
public final class Command {
  public static final int READ = 0;
  public static final int WRITE = 1;

  /** The client leaves; there is no answer. */
  public static final int DISC = 2;

  public static final int FLUSH = 3;
  public static final int TRIM = 4;

  /** The client will soon want to read that. */
  public static final int CACHE = 5;

  public static final int WRITE_ZEROES = 6;
  public static final int BLOCK_STATUS = 7;

  /** An extension: the offset is the new size. */
  public static final int RESIZE = 8;

  private Command() {}

  /** What to call a command in a message. */
  public static String name(int command) {
    return switch (command) {
      case READ -> "READ";
      case WRITE -> "WRITE";
      case DISC -> "DISC";
      case FLUSH -> "FLUSH";
      case TRIM -> "TRIM";
      case CACHE -> "CACHE";
      case WRITE_ZEROES -> "WRITE_ZEROES";
      case BLOCK_STATUS -> "BLOCK_STATUS";
      case RESIZE -> "RESIZE";
      default -> "command " + command;
    };
  }
}

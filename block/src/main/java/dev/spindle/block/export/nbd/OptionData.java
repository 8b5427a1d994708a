// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.OptionReply;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** What comes with an option, read from front to back and never past its end. */
final class OptionData {
  private final ByteBuffer bytes;

  OptionData(byte[] bytes) {
    this.bytes = ByteBuffer.wrap(bytes);
  }

  int remaining() {
    return bytes.remaining();
  }

  /** An unsigned number of 16 bits. */
  int number16() throws OptionRefusal {
    require(Short.BYTES);
    return Short.toUnsignedInt(bytes.getShort());
  }

  /** An unsigned number of 32 bits. */
  long number32() throws OptionRefusal {
    require(Integer.BYTES);
    return Integer.toUnsignedLong(bytes.getInt());
  }

  /** A string of so many bytes. */
  String string(long length) throws OptionRefusal {
    if (length > Handshake.LONGEST_STRING) {
      throw new OptionRefusal(
          OptionReply.ERR_TOO_BIG, "a string of " + length + " bytes is too long");
    }
    require(length);
    ByteBuffer part = bytes.slice(bytes.position(), (int) length);
    bytes.position(bytes.position() + (int) length);
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(part).toString();
    } catch (CharacterCodingException e) {
      throw new OptionRefusal(OptionReply.ERR_INVALID, "a string that is not UTF-8");
    }
    if (text.indexOf(0) >= 0) {
      throw new OptionRefusal(OptionReply.ERR_INVALID, "a string with a zero in it");
    }
    return text;
  }

  /** Nothing may be left. */
  void end() throws OptionRefusal {
    if (bytes.hasRemaining()) {
      throw new OptionRefusal(
          OptionReply.ERR_INVALID, bytes.remaining() + " bytes more than the option has");
    }
  }

  private void require(long length) throws OptionRefusal {
    if (length > bytes.remaining()) {
      throw new OptionRefusal(OptionReply.ERR_INVALID, "the option ends too early");
    }
  }
}

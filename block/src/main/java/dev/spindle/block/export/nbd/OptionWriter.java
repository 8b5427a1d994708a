// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HandshakeChannel;
import dev.spindle.block.nbd.InfoType;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Set;

/** What a server says while it negotiates. */
final class OptionWriter {
  private static final byte[] NOTHING = {};

  private final HandshakeChannel channel;

  OptionWriter(HandshakeChannel channel) {
    this.channel = channel;
  }

  /** The first words of all. */
  void greet(int handshakeFlags) throws IOException {
    channel.write(
        ByteBuffer.allocate(Handshake.GREETING_BYTES)
            .putLong(Handshake.INIT_MAGIC)
            .putLong(Handshake.OPTION_MAGIC)
            .putShort((short) handshakeFlags)
            .array());
  }

  void acknowledge(int option) throws IOException {
    reply(option, OptionReply.ACK, NOTHING);
  }

  void refuse(int option, OptionRefusal refusal) throws IOException {
    byte[] text = bytes(refusal.getMessage());
    reply(option, refusal.reply(), text.length > Handshake.LONGEST_STRING ? NOTHING : text);
  }

  /** One export of a list. */
  void tellServer(String name, String description) throws IOException {
    byte[] nameBytes = bytes(name);
    byte[] descriptionBytes = bytes(description);
    reply(
        OptionType.LIST.number(),
        OptionReply.SERVER,
        ByteBuffer.allocate(Integer.BYTES + nameBytes.length + descriptionBytes.length)
            .putInt(nameBytes.length)
            .put(nameBytes)
            .put(descriptionBytes)
            .array());
  }

  /** A metadata context. */
  void tellContext(int option, int number, String name) throws IOException {
    byte[] nameBytes = bytes(name);
    reply(
        option,
        OptionReply.META_CONTEXT,
        ByteBuffer.allocate(Integer.BYTES + nameBytes.length)
            .putInt(number)
            .put(nameBytes)
            .array());
  }

  /** What there is to say of an export, and what the client wants to know besides. */
  void tellInfo(int option, OfferedExport export, ClientTerms terms, Set<InfoType> wanted)
      throws IOException {
    if (wanted.contains(InfoType.NAME)) {
      info(option, InfoType.NAME, bytes(export.name()));
    }
    if (wanted.contains(InfoType.DESCRIPTION) && !export.description().isEmpty()) {
      info(option, InfoType.DESCRIPTION, bytes(export.description()));
    }
    BlockSizes sizes = terms.sizes();
    info(
        option,
        InfoType.BLOCK_SIZE,
        ByteBuffer.allocate(3 * Integer.BYTES)
            .putInt(sizes.minimum())
            .putInt(sizes.preferred())
            .putInt(sizes.maximumPayload())
            .array());
    info(option, InfoType.EXPORT, export(export.size(), terms.transmissionFlags(), 0));
  }

  private void info(int option, InfoType type, byte[] data) throws IOException {
    reply(
        option,
        OptionReply.INFO,
        ByteBuffer.allocate(Short.BYTES + data.length)
            .putShort((short) type.number())
            .put(data)
            .array());
  }

  /** The answer to a client that has chosen an export by EXPORT_NAME. */
  void tellExport(long size, int transmissionFlags, boolean zeroes) throws IOException {
    channel.write(export(size, transmissionFlags, zeroes ? Handshake.EXPORT_ZEROES : 0));
  }

  private static byte[] export(long size, int transmissionFlags, int zeroes) {
    return ByteBuffer.allocate(Handshake.EXPORT_BYTES + zeroes)
        .putLong(size)
        .putShort((short) transmissionFlags)
        .array();
  }

  private void reply(int option, OptionReply type, byte[] data) throws IOException {
    channel.write(
        ByteBuffer.allocate(Handshake.REPLY_HEADER_BYTES + data.length)
            .putLong(Handshake.REPLY_MAGIC)
            .putInt(option)
            .putInt(type.number())
            .putInt(data.length)
            .put(data)
            .array());
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}

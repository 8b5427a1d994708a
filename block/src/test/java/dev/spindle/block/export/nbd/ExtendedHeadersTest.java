// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.CommandFlags;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.MetaContexts;
import dev.spindle.block.nbd.NbdError;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.ReplyChunk;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Extended headers, byte by byte as the extension to proto.md has them: no client in Debian does.
 */
class ExtendedHeadersTest {
  private static final long SIZE = 5L << 30;

  @TempDir Path directory;
  private NbdDisk disk;
  private RawClient client;

  @BeforeEach
  void open() throws Exception {
    Path image = Disk.image(directory, SIZE);
    disk = new NbdDisk(directory, "driver=file,node-name=d,filename=" + image);
    client = RawClient.greeted(disk.path);
    client.agree(HeaderStyle.EXTENDED);
    ByteBuffer contexts = RawClient.export("disk").putInt(2);
    for (String name : new String[] {"base:allocation", MetaContexts.QEMU_ALLOCATION_DEPTH}) {
      contexts.putInt(name.length()).put(name.getBytes(UTF_8));
    }
    assertEquals(OptionReply.ACK.number(), client.ask(OptionType.SET_META_CONTEXT, contexts));
    client.go();
  }

  @AfterEach
  void close() throws Exception {
    client.close();
    disk.close();
  }

  private void write(long offset, byte[] data) throws Exception {
    client.request(Command.WRITE, CommandFlags.PAYLOAD_LEN, offset, data.length);
    ByteBuffer payload = ByteBuffer.wrap(data);
    client.write(payload.position(data.length));
    assertNone(offset);
  }

  private void assertNone(long offset) throws Exception {
    client.reply();
    assertEquals(HeaderStyle.EXTENDED, client.reply.style);
    assertEquals(ReplyChunk.NONE, client.reply.type);
    assertEquals(ReplyChunk.DONE, client.reply.flags);
    assertEquals(offset, client.reply.offset);
  }

  private void assertError(int error) throws Exception {
    ByteBuffer payload = client.reply();
    assertEquals(ReplyChunk.ERROR, client.reply.type);
    assertEquals(error, payload.getInt());
    assertEquals(payload.getShort(), payload.remaining());
  }

  @Test
  void writesAndReads() throws Exception {
    byte[] data = new byte[100_000];
    new Random(1).nextBytes(data);
    write(4L << 30, data);
    client.request(Command.READ, CommandFlags.DF, 4L << 30, data.length);
    ByteBuffer reply = client.reply();
    assertEquals(ReplyChunk.OFFSET_DATA, client.reply.type);
    assertEquals(4L << 30, reply.getLong());
    byte[] read = new byte[data.length];
    reply.get(read);
    assertArrayEquals(data, read);
    client.request(Command.FLUSH, 0, 0, 0);
    assertNone(0);
  }

  @Test
  void tellsStatusBeyondFourGigabytes() throws Exception {
    write(0, new byte[65536]);
    client.request(Command.BLOCK_STATUS, 0, 0, SIZE);
    ByteBuffer allocation = client.reply();
    assertEquals(ReplyChunk.BLOCK_STATUS_EXT, client.reply.type);
    assertEquals(0, client.reply.flags);
    assertEquals(0, allocation.getInt());
    assertEquals(2, allocation.getInt());
    assertEquals(65536, allocation.getLong());
    assertEquals(0, allocation.getLong());
    assertEquals(SIZE - 65536, allocation.getLong());
    assertEquals(3, allocation.getLong());
    ByteBuffer depth = client.reply();
    assertEquals(ReplyChunk.DONE, client.reply.flags);
    assertEquals(1, depth.getInt());
    assertEquals(1, depth.getInt());
    assertEquals(SIZE, depth.getLong());
    assertEquals(1, depth.getLong());
  }

  @Test
  void tellsStatusOfTheListedContexts() throws Exception {
    int flags = CommandFlags.PAYLOAD_LEN | CommandFlags.REQ_ONE;
    client.request(Command.BLOCK_STATUS, flags, 4096, 12);
    client.write(ByteBuffer.allocate(12).putLong(1 << 20).putInt(1));
    ByteBuffer depth = client.reply();
    assertEquals(ReplyChunk.DONE, client.reply.flags);
    assertEquals(1, depth.getInt());
    assertEquals(1, depth.getInt());
    assertEquals(1 << 20, depth.getLong());
    // One that there is not, one twice, and a list of nothing.
    client.request(Command.BLOCK_STATUS, flags, 4096, 12);
    client.write(ByteBuffer.allocate(12).putLong(1 << 20).putInt(7));
    assertError(NbdError.EINVAL);
    client.request(Command.BLOCK_STATUS, flags, 4096, 16);
    client.write(ByteBuffer.allocate(16).putLong(1 << 20).putInt(1).putInt(1));
    assertError(NbdError.EINVAL);
    client.request(Command.BLOCK_STATUS, flags, 4096, 8);
    client.write(ByteBuffer.allocate(8).putLong(1 << 20));
    assertError(NbdError.EINVAL);
  }

  @Test
  void zeroesMoreThanFourGigabytesAtOnce() throws Exception {
    write(4096, new byte[] {1, 2, 3});
    client.request(Command.WRITE_ZEROES, CommandFlags.FAST_ZERO, 0, SIZE);
    assertNone(0);
    client.request(Command.READ, 0, 4096, 3);
    ByteBuffer reply = client.reply();
    assertEquals(4096, reply.getLong());
    assertEquals(0, reply.get());
  }

  @Test
  void takesAPayloadThatNobodyAskedFor() throws Exception {
    client.request(Command.TRIM, CommandFlags.PAYLOAD_LEN, 0, 5000);
    ByteBuffer payload = ByteBuffer.allocate(5000);
    client.write(payload.position(5000));
    assertError(NbdError.EINVAL);
    client.request(Command.WRITE, 0, 0, 512);
    assertError(NbdError.EINVAL);
    client.request(Command.WRITE, CommandFlags.PAYLOAD_LEN, 0, 1L << 40);
    client.assertClosed();
  }

  @Test
  void refusesWhatDoesNotGoTogether() throws Exception {
    try (RawClient other = RawClient.greeted(disk.path)) {
      other.agree(HeaderStyle.EXTENDED);
      assertEquals(
          OptionReply.ERR_EXT_HEADER_REQD.number(),
          other.ask(OptionType.STRUCTURED_REPLY, ByteBuffer.allocate(0)));
      other.option(OptionType.EXPORT_NAME.number(), 4);
      other.assertClosed();
    }
  }
}

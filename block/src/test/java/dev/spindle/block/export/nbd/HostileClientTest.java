// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.NbdError;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Clients that break the rules lose their own connection, and nobody else anything. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HostileClientTest {
  private static final int SIZE = 8 << 20;

  @TempDir Path directory;
  private Path image;
  private NbdDisk disk;

  /** A decent client, which was there before the others. */
  private RawClient bystander;

  @BeforeEach
  void open() throws Exception {
    image = Disk.image(directory, SIZE);
    open("");
  }

  private void open(String serverOptions) throws Exception {
    disk =
        new NbdDisk(
            directory, "driver=file,node-name=d,filename=" + image, serverOptions, "writable=on");
    bystander = RawClient.using(disk.path, HeaderStyle.SIMPLE);
  }

  @AfterEach
  void othersAreServed() throws Exception {
    read(bystander);
    try (RawClient newcomer = RawClient.using(disk.path, HeaderStyle.SIMPLE)) {
      read(newcomer);
    }
    bystander.close();
    disk.close();
  }

  private static void read(RawClient client) throws IOException {
    client.request(Command.READ, 0, 0, 512);
    client.reply();
    assertEquals(0, client.reply.error);
    client.read(512);
  }

  private RawClient greeted() throws IOException {
    return RawClient.greeted(disk.path);
  }

  private RawClient using() throws IOException {
    return RawClient.using(disk.path, HeaderStyle.SIMPLE);
  }

  @Test
  void unknownClientFlags() throws Exception {
    try (RawClient client = new RawClient(disk.path)) {
      client.read(Handshake.GREETING_BYTES);
      client.write(ByteBuffer.allocate(4).putInt(1 << 7));
      client.assertClosed();
    }
  }

  @Test
  void optionWithoutMagic() throws Exception {
    try (RawClient client = greeted()) {
      client.write(ByteBuffer.allocate(16).putLong(42).putInt(3).putInt(0));
      client.assertClosed();
    }
  }

  @Test
  void nameThatIsTooLong() throws Exception {
    try (RawClient client = greeted()) {
      ByteBuffer go = ByteBuffer.allocate(6000).putInt(5000).put(new byte[5000]);
      assertEquals(
          OptionReply.ERR_TOO_BIG.number(), client.ask(OptionType.GO, go.putShort((short) 0)));
      client.option(OptionType.EXPORT_NAME.number(), 5000);
      client.assertClosed();
    }
  }

  @Test
  void nameThatEndsBeyondItsOption() throws Exception {
    try (RawClient client = greeted()) {
      ByteBuffer go = ByteBuffer.allocate(6).putInt(4096).putShort((short) 0);
      assertEquals(OptionReply.ERR_INVALID.number(), client.ask(OptionType.GO, go));
      client.go();
      read(client);
    }
  }

  @Test
  void optionThatIsTooLong() throws Exception {
    try (RawClient client = greeted()) {
      ByteBuffer large = ByteBuffer.allocate(1 << 20);
      assertEquals(
          OptionReply.ERR_TOO_BIG.number(),
          client.ask(OptionType.LIST, large.position(large.limit())));
      assertEquals(OptionReply.ACK.number(), client.ask(OptionType.LIST, ByteBuffer.allocate(0)));
      client.option(OptionType.LIST.number(), 0xffff_ffff);
      client.assertClosed();
    }
  }

  @Test
  void moreQueriesThanThereIsRoomFor() throws Exception {
    try (RawClient client = greeted()) {
      client.agree(HeaderStyle.STRUCTURED);
      ByteBuffer data = RawClient.export("disk").putInt(0xffff_ffff);
      assertEquals(OptionReply.ERR_INVALID.number(), client.ask(OptionType.SET_META_CONTEXT, data));
      client.go();
    }
  }

  @Test
  void everyOptionCutShort() throws Exception {
    for (OptionType option : OptionType.values()) {
      if (option == OptionType.EXPORT_NAME || option == OptionType.ABORT) {
        continue;
      }
      try (RawClient client = greeted()) {
        int reply = client.ask(option, ByteBuffer.allocate(3).put(new byte[3]));
        assertEquals(true, OptionReply.isError(reply), option.toString());
      }
    }
  }

  @Test
  void payloadOfFourGigabytes() throws Exception {
    try (RawClient client = using()) {
      client.request(Command.WRITE, 0, 0, 0xffff_ffffL);
      client.assertClosed();
    }
  }

  @Test
  void readOfFourGigabytes() throws Exception {
    try (RawClient client = using()) {
      client.request(Command.READ, 0, 0, 0xffff_ffffL);
      client.reply();
      assertEquals(NbdError.EINVAL, client.reply.error);
      read(client);
    }
  }

  @Test
  void rangesThatWrapAround() throws Exception {
    try (RawClient client = using()) {
      for (int command : new int[] {Command.READ, Command.TRIM, Command.WRITE_ZEROES}) {
        client.request(command, 0, -512, 1024);
        client.reply();
        assertEquals(
            command == Command.READ ? NbdError.EINVAL : NbdError.ENOSPC, client.reply.error);
      }
      client.request(Command.READ, 0, Long.MAX_VALUE, 512);
      client.reply();
      assertEquals(NbdError.EINVAL, client.reply.error);
      read(client);
    }
  }

  @Test
  void writeBeyondTheEndIsReadToItsOwnEnd() throws Exception {
    try (RawClient client = using()) {
      client.request(Command.WRITE, 0, SIZE - 512, 1 << 20);
      ByteBuffer payload = ByteBuffer.allocate(1 << 20);
      client.write(payload.position(payload.limit()));
      client.reply();
      assertEquals(NbdError.ENOSPC, client.reply.error);
      read(client);
    }
  }

  @Test
  void unknownCommandsAndFlags() throws Exception {
    try (RawClient client = using()) {
      client.request(99, 0, 0, 0);
      client.reply();
      assertEquals(NbdError.EINVAL, client.reply.error);
      client.request(Command.READ, 1 << 9, 0, 512);
      client.reply();
      assertEquals(NbdError.EINVAL, client.reply.error);
      client.request(Command.BLOCK_STATUS, 0, 0, 512);
      client.reply();
      assertEquals(NbdError.EINVAL, client.reply.error);
      client.request(Command.RESIZE, 0, 4096, 0);
      client.reply();
      assertEquals(NbdError.EINVAL, client.reply.error);
      read(client);
    }
  }

  @Test
  void requestWithoutMagic() throws Exception {
    try (RawClient client = using()) {
      client.write(ByteBuffer.allocate(28).position(28));
      client.assertClosed();
    }
  }

  @Test
  void goneInTheMiddleOfAPayload() throws Exception {
    byte[] before = Files.readAllBytes(image);
    for (int sent : new int[] {0, 1, 4096, 40_000, 1_000_000}) {
      try (RawClient client = using()) {
        client.request(Command.WRITE, 0, 0, 1 << 20);
        ByteBuffer part = ByteBuffer.allocate(sent);
        while (part.hasRemaining()) {
          part.put((byte) 0xff);
        }
        client.write(part);
        client.channel.shutdownOutput();
        client.assertClosed();
      }
    }
    assertEquals(-1, Arrays.mismatch(before, Files.readAllBytes(image)));
  }

  @Test
  void goneWithRequestsOnTheirWay() throws Exception {
    for (int i = 0; i < 50; i++) {
      try (RawClient client = using()) {
        for (int j = 0; j <= i; j++) {
          client.request(Command.READ, 0, 0, 1 << 20);
        }
      }
    }
  }

  @Test
  void thousandsThatSayNothing() throws Exception {
    List<RawClient> silent = new ArrayList<>();
    try {
      for (int i = 0; i < 2000; i++) {
        silent.add(new RawClient(disk.path));
      }
      try (RawClient client = using()) {
        read(client);
      }
      silent.getFirst().assertClosed();
    } finally {
      for (RawClient client : silent) {
        client.close();
      }
    }
  }

  @Test
  void oneThatTakesItsTime() throws Exception {
    bystander.close();
    disk.close();
    open("handshake-max-seconds=1");
    try (RawClient client = greeted()) {
      client.write(ByteBuffer.allocate(3).position(3));
      client.assertClosed();
    }
  }

  @Test
  void oneThatTakesTheLastPlaceInAnExportThatIsClosed() throws Exception {
    bystander.close();
    disk.close();
    open("max-connections=2");
    try (RawClient chooser = greeted();
        RawClient negotiating = greeted()) {
      disk.control(
          () -> {
            chooser.go();
            // The server has counted the client by now, and accepts one more but not another.
            negotiating.ask(OptionType.LIST, ByteBuffer.allocate(0));
            RawClient waiting = greeted();
            negotiating.ask(OptionType.LIST, ByteBuffer.allocate(0));
            waiting.close();
            disk.exports.find("e0").stop();
          });
      disk.exports.close("e0");
      chooser.assertClosed();
    }
    bystander.close();
    disk.control(
        () ->
            disk.exports.open(
                Disk.options("type=nbd,id=e1,name=disk,node-name=d,writable=on,iothread=io0")));
    bystander = RawClient.using(disk.path, HeaderStyle.SIMPLE);
  }

  @Test
  void oneThatDoesNotTakeItsReplies() throws Exception {
    try (RawClient client = using()) {
      client.channel.configureBlocking(false);
      ByteBuffer request = ByteBuffer.allocate(28);
      request.putInt(0x25609513).putInt(0).putLong(1).putLong(0).putInt(1 << 20);
      int sent = 28;
      // Until the server takes no more.
      for (int i = 0; i < 2000 && sent == 28; i++) {
        request.rewind();
        sent = client.channel.write(request);
      }
      // Neither a section nor a move waits for it.
      disk.move(disk.io1);
      disk.move(disk.io0);
      read(bystander);
    }
  }

  @Test
  void whoIsServedAndTheEndOfTheExport() throws Exception {
    try (RawClient client = using()) {
      disk.exports.close("e0");
      client.assertClosed();
      bystander.assertClosed();
      try (RawClient newcomer = greeted()) {
        assertEquals(
            OptionReply.ERR_UNKNOWN.number(),
            newcomer.ask(OptionType.GO, RawClient.export("disk").putShort((short) 0)));
      }
    }
    disk.close();
    bystander.close();
    open("");
  }

  @Test
  void anythingAtAll() throws Exception {
    Random random = new Random(20);
    for (int round = 0; round < 300; round++) {
      try (RawClient client = random.nextBoolean() ? greeted() : using()) {
        boolean negotiating = random.nextBoolean();
        ByteBuffer bytes = ByteBuffer.allocate(random.nextInt(1, 2000));
        random.nextBytes(bytes.array());
        for (int at = 0; at + 32 < bytes.limit(); at += random.nextInt(16, 200)) {
          if (negotiating) {
            bytes.putLong(at, Handshake.OPTION_MAGIC);
            bytes.putInt(at + 8, random.nextInt(13));
            bytes.putInt(at + 12, random.nextInt(64));
          } else {
            bytes.putInt(at, 0x25609513);
            bytes.putShort(at + 4, (short) random.nextInt(32));
            bytes.putShort(at + 6, (short) random.nextInt(9));
            bytes.putInt(at + 24, random.nextInt(1 << random.nextInt(1, 30)));
          }
        }
        try {
          client.write(bytes.position(bytes.limit()));
          client.channel.shutdownOutput();
        } catch (IOException e) {
          assertEquals("Broken pipe", e.getMessage());
        }
        client.assertClosed();
      }
    }
  }

  @Test
  void tooManyClientsWaitForTheirTurn() throws Exception {
    bystander.close();
    disk.close();
    open("max-connections=1");
    RawClient second = new RawClient(disk.path);
    bystander.close();
    // Only now is it greeted.
    second.read(Handshake.GREETING_BYTES);
    second.close();
    bystander = using();
    bystander.request(Command.DISC, 0, 0, 0);
    bystander.assertClosed();
    disk.close();
    open("");
  }

  @Test
  void whoHasChosenWhenThereIsNoPlaceWaitsForOne() throws Exception {
    bystander.close();
    disk.close();
    open("max-connections=2");
    bystander.close();
    List<RawClient> clients = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      clients.add(greeted());
    }
    for (RawClient client : clients) {
      client.go();
      client.request(Command.READ, 0, 0, 512);
    }
    // Two are served at a time, in the order in which they have chosen.
    for (RawClient client : clients) {
      client.reply();
      assertEquals(0, client.reply.error);
      client.read(512);
      client.request(Command.DISC, 0, 0, 0);
      client.assertClosed();
      client.close();
    }
    bystander = using();
  }

  @Test
  void nothingIsOfferedTwice() {
    String refusal =
        assertThrows(
                Exception.class,
                () ->
                    disk.control(
                        () ->
                            disk.exports.open(
                                Disk.options("type=nbd,id=e1,node-name=d,name=disk"))))
            .getMessage();
    assertEquals("NBD server already has export named 'disk'", refusal);
  }
}

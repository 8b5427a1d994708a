// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.RequestHeader;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** How clients fare at the end, and while they want nothing. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NbdServiceTest {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 64 * MIB;

  @TempDir Path directory;

  private NbdDisk open() throws Exception {
    Path image = Disk.image(directory, SIZE);
    return new NbdDisk(directory, "driver=file,node-name=d,filename=" + image);
  }

  /** More replies than a socket holds are on their way when the export is closed. */
  @Test
  void whatHasBeenAskedForIsAnsweredBeforeTheEnd() throws Exception {
    int count = 16;
    try (NbdDisk disk = open();
        RawClient client = RawClient.using(disk.path, HeaderStyle.SIMPLE)) {
      // In one piece, so that the server has taken all when it answers the first.
      ByteBuffer requests = ByteBuffer.allocate(count * RequestHeader.COMPACT_BYTES);
      RequestHeader header = new RequestHeader();
      header.command = Command.READ;
      header.cookie = RawClient.COOKIE;
      header.length = MIB;
      for (int i = 0; i < count; i++) {
        header.offset = (long) i * MIB;
        header.write(
            MemorySegment.ofBuffer(requests),
            (long) i * RequestHeader.COMPACT_BYTES,
            HeaderStyle.SIMPLE);
      }
      client.write(requests.position(requests.limit()));
      client.reply();
      CompletableFuture<Void> closed =
          CompletableFuture.runAsync(
              () -> {
                try {
                  disk.control(() -> disk.exports.close("e0"));
                } catch (Exception e) {
                  throw new AssertionError(e);
                }
              });
      client.read(MIB);
      for (int i = 1; i < count; i++) {
        client.reply();
        assertEquals(0, client.reply.error);
        client.read(MIB);
      }
      client.assertClosed();
      closed.join();
    }
  }

  /** The process's memory without files, in bytes. */
  private static long memory() throws Exception {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("RssAnon:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) << 10;
      }
    }
    throw new AssertionError("no RssAnon");
  }

  @Test
  void memoryComesBackFromAClientThatWantsNothing() throws Exception {
    try (NbdDisk disk = open();
        RawClient client = RawClient.using(disk.path, HeaderStyle.SIMPLE)) {
      long before = memory();
      for (int i = 0; i < 40; i++) {
        client.request(Command.READ, 0, (long) i * MIB, MIB);
      }
      long most = before;
      ByteBuffer part = ByteBuffer.allocate(MIB);
      for (int i = 0; i < 40; i++) {
        client.reply();
        part.clear();
        while (part.hasRemaining()) {
          client.channel.read(part);
        }
        most = Math.max(most, memory());
      }
      assertTrue(most - before > 30 * MIB, most + " bytes, and " + before + " before");
      while (memory() > most - 30 * MIB) {
        Thread.onSpinWait();
      }
    }
  }
}

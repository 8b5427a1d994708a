// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.RequestHeader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
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
                  disk.exports.close("e0");
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

  /** With the pages that the kernel takes back goes what was in them. */
  @Test
  void memoryComesBackFromAClientThatWantsNothing() throws Exception {
    try (IoThread thread = IoThread.start("io0", ContextOptions.IOTHREAD);
        PayloadMemory payloads = new PayloadMemory()) {
      IdleMemory idle = new IdleMemory(payloads);
      AioContext context = thread.context();
      MemorySegment memory = payloads.segment();
      long kept = payloads.take(1);
      context.call(
          () -> {
            idle.start(context);
            memory.set(ValueLayout.JAVA_BYTE, kept, (byte) 1);
            return null;
          });
      for (int round = 0; round < 2; round++) {
        long last =
            context.call(
                () -> {
                  idle.use();
                  long block = payloads.take(32 * MIB);
                  memory.asSlice(block, 32 * MIB).fill((byte) 2);
                  payloads.giveBack(block, 32 * MIB);
                  return block + 32 * MIB - 1;
                });
        while (context.call(() -> memory.get(ValueLayout.JAVA_BYTE, last)) != 0) {
          Thread.onSpinWait();
        }
      }
      assertEquals(1, memory.get(ValueLayout.JAVA_BYTE, kept));
      context.call(
          () -> {
            idle.stop();
            return null;
          });
    }
  }
}

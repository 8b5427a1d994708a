// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static dev.spindle.block.graph.BlockRequest.Operation.FLUSH;
import static dev.spindle.block.graph.BlockRequest.Operation.READ;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.NbdError;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Servers that go away, and come back or do not. */
@Timeout(300)
class ReconnectTest {
  private static final int MIB = 1 << 20;
  private static final int BLOCK = 4096;

  /** Divides the number of blocks of an image. */
  private static final int DEPTH = 16;

  @TempDir Path directory;

  private Path image(long size) throws Exception {
    return Disk.image(directory, size);
  }

  /** Every write is done once the server is back; none is lost, and none ends in an error. */
  @ParameterizedTest
  @ValueSource(strings = {"", "--filter=multi-conn", "--no-sr"})
  void requestsOutliveTheServer(String option) throws Exception {
    Path image = image(MIB);
    String[] arguments =
        option.isEmpty()
            ? new String[] {"file", image.toString()}
            : new String[] {option, "file", image.toString()};
    byte[] model = new byte[MIB];
    Random random = new Random(7);
    try (NbdPeer server = NbdPeer.nbdkit(directory, arguments);
        Disk disk = new Disk(server.node(",reconnect-delay=100"));
        Arena arena = Arena.ofShared()) {
      for (int round = 0; round < 8; round++) {
        CountDownLatch under = new CountDownLatch(DEPTH);
        List<TestRequest> requests = new ArrayList<>();
        for (int i = 0; i < 40 * DEPTH; i++) {
          int block = i % (MIB / BLOCK);
          MemorySegment buffer = arena.allocate(BLOCK);
          if (i % 3 == 2) {
            requests.add(TestRequest.transfer(READ, (long) block * BLOCK, buffer));
          } else {
            byte[] data = new byte[BLOCK];
            random.nextBytes(data);
            System.arraycopy(data, 0, model, block * BLOCK, BLOCK);
            MemorySegment.copy(data, 0, buffer, ValueLayout.JAVA_BYTE, 0, BLOCK);
            requests.add(TestRequest.transfer(WRITE, (long) block * BLOCK, buffer));
          }
        }
        // On the context, as those that follow: no other thread may be late with its request.
        disk.lane()
            .context()
            .execute(
                () -> {
                  for (int i = 0; i < DEPTH; i++) {
                    send(disk, requests, i, under);
                  }
                });
        under.await();
        server.kill();
        server.start();
        for (TestRequest request : requests) {
          assertEquals(0, request.result.join(), "round " + round);
        }
      }
      assertEquals(0, disk.run(TestRequest.range(FLUSH, 0, 0)));
    }
    assertArrayEquals(model, Files.readAllBytes(image));
  }

  /**
   * Sends a request and, when it has ended, the one {@link #DEPTH} after it, and so on. Those of
   * one block follow one another so: a server may let a request wait while it answers hundreds of
   * later ones.
   */
  private static void send(Disk disk, List<TestRequest> requests, int index, CountDownLatch ended) {
    if (index >= requests.size()) {
      return;
    }
    TestRequest request = requests.get(index);
    request.result.thenRun(
        () -> {
          ended.countDown();
          disk.lane().context().execute(() -> send(disk, requests, index + DEPTH, ended));
        });
    disk.lane().submit(request);
  }

  @Test
  void withoutDelayRequestsFailAtOnceAndLaterOnesWork() throws Exception {
    try (NbdPeer server = NbdPeer.nbdkit(directory, "pattern", "1M");
        Disk disk = new Disk(server.node(",read-only=on"));
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(BLOCK);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
      server.kill();
      for (int i = 0; i < 10; i++) {
        assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, 0, buffer)));
      }
      server.start();
      while (disk.run(TestRequest.transfer(READ, 8192, buffer)) != 0) {
        Thread.onSpinWait();
      }
      assertEquals(0x20, buffer.get(ValueLayout.JAVA_BYTE, 6));
    }
  }

  @Test
  void requestsFailWhenTheDelayIsOver() throws Exception {
    try (NbdPeer server = NbdPeer.nbdkit(directory, "pattern", "1M");
        Disk disk = new Disk(server.node(",read-only=on,reconnect-delay=1"));
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(BLOCK);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
      server.kill();
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, 0, buffer)));
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, 0, buffer)));
    }
  }

  @Test
  void anExportOfAnotherSizeIsNotTheSame() throws Exception {
    Path image = image(MIB);
    try (NbdPeer server = NbdPeer.nbdkit(directory, "file", image.toString());
        Disk disk = new Disk(server.node(",reconnect-delay=1"));
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(BLOCK);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
      server.kill();
      image(2 * MIB);
      server.start();
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, 0, buffer)));
      assertEquals(MIB, disk.node.length());
      server.kill();
      image(MIB);
      server.start();
      while (disk.run(TestRequest.transfer(READ, 0, buffer)) != 0) {
        Thread.onSpinWait();
      }
    }
  }

  /** A server that shuts down is left, politely, and the next one is asked what it refused. */
  @ParameterizedTest
  @ValueSource(strings = {"SIMPLE", "STRUCTURED", "EXTENDED"})
  void whatAServerRefusesThatShutsDownIsAskedAgain(HeaderStyle style) throws Exception {
    Path socket = directory.resolve("fake.sock");
    BlockingQueue<Integer> lastWords = new LinkedBlockingQueue<>();
    try (FakeServer server =
            new FakeServer(
                socket,
                (with, connection) -> {
                  with.negotiate(style);
                  if (connection == 1) {
                    with.serve();
                    return;
                  }
                  with.refuse(with.request(), NbdError.ESHUTDOWN);
                  lastWords.add(with.request().command());
                });
        Disk disk =
            new Disk(
                "driver=nbd,node-name=disk,read-only=on,reconnect-delay=100,"
                    + "server.type=unix,server.path="
                    + socket);
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(BLOCK);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
      assertEquals(0x5a, buffer.get(ValueLayout.JAVA_BYTE, BLOCK - 1));
      assertEquals(Command.DISC, lastWords.take());
    }
  }

  @Test
  void withoutDelayWhatAServerRefusesThatShutsDownFails() throws Exception {
    Path socket = directory.resolve("fake.sock");
    try (FakeServer server =
            new FakeServer(
                socket,
                (with, connection) -> {
                  with.negotiate(HeaderStyle.STRUCTURED);
                  if (connection == 0) {
                    with.refuse(with.request(), NbdError.ESHUTDOWN);
                  } else {
                    with.serve();
                  }
                });
        Disk disk =
            new Disk(
                "driver=nbd,node-name=disk,read-only=on,server.type=unix,server.path=" + socket);
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(BLOCK);
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, 0, buffer)));
      while (disk.run(TestRequest.transfer(READ, 0, buffer)) != 0) {
        Thread.onSpinWait();
      }
    }
  }

  /** Whatever a server has begun to say counts for nothing once its connection is gone. */
  @ParameterizedTest
  @ValueSource(strings = {"SIMPLE", "STRUCTURED", "EXTENDED"})
  void aReadThatWasCutOffIsReadAgain(HeaderStyle style) throws Exception {
    Path socket = directory.resolve("fake.sock");
    try (FakeServer server =
            new FakeServer(
                socket,
                (with, connection) -> {
                  with.negotiate(style);
                  if (connection == 4) {
                    with.serve();
                    return;
                  }
                  FakeServer.Request read = with.request();
                  if (connection == 1 && style != HeaderStyle.SIMPLE) {
                    with.data(0, read, read.offset(), BLOCK / 2);
                  } else if (connection == 2 && style == HeaderStyle.SIMPLE) {
                    with.simple(read.cookie(), 0);
                    with.out.write(new byte[BLOCK / 2]);
                  } else if (connection == 3) {
                    with.out.write(new byte[] {0x67});
                  }
                  with.out.flush();
                });
        Disk disk =
            new Disk(
                "driver=nbd,node-name=disk,read-only=on,reconnect-delay=100,"
                    + "server.type=unix,server.path="
                    + socket);
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(BLOCK);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
      for (long at = 0; at < BLOCK; at++) {
        assertEquals(0x5a, buffer.get(ValueLayout.JAVA_BYTE, at));
      }
    }
  }

  /** Another server may say otherwise, and what it says is the whole answer. */
  @ParameterizedTest
  @ValueSource(strings = {"STRUCTURED", "EXTENDED"})
  void aStatusThatWasCutOffIsAskedForAgain(HeaderStyle style) throws Exception {
    Path socket = directory.resolve("fake.sock");
    try (FakeServer server =
            new FakeServer(
                socket,
                (with, connection) -> {
                  with.negotiate(style);
                  with.status(connection == 0 ? 0 : ReplyChunk.DONE, with.request(), BLOCK, 3);
                  if (connection > 0) {
                    with.serve();
                  }
                });
        Disk disk =
            new Disk(
                "driver=nbd,node-name=disk,read-only=on,reconnect-delay=100,"
                    + "server.type=unix,server.path="
                    + socket);
        Arena arena = Arena.ofShared()) {
      CompletableFuture<BlockStatus> status = new CompletableFuture<>();
      disk.lane()
          .context()
          .startVirtual("status", () -> status.complete(disk.lane().blockStatus(0, 2 * BLOCK)));
      assertEquals(new BlockStatus(BLOCK, false, true, 1), status.join());
      MemorySegment buffer = arena.allocate(BLOCK);
      assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.graph.BlockRequest.Operation;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Spindle's front end with Spindle's back end behind it, which is disturbed while requests are on
 * their way; the file tells afterwards whether all of them were carried out.
 */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BothEndsTest {
  private static final int BLOCK = 4096;
  private static final int BLOCKS = 512;
  private static final int ROUNDS = 12;

  @TempDir Path folder;

  /** What happens to the back end. */
  enum Disturbance {
    /** Its node moves to another iothread. */
    MOVES,
    /** It is closed, and opened anew. */
    COMES_BACK
  }

  @ParameterizedTest
  @EnumSource
  void losesNothing(Disturbance disturbance) throws Exception {
    Path image = folder.resolve("disk.raw");
    Path socket = folder.resolve("socket");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength((long) BLOCKS * BLOCK);
    }
    byte[] model = new byte[BLOCKS * BLOCK];
    String export =
        "type=vhost-user-blk,id=e,node-name=disk,writable=on,num-queues=2,addr.type=unix,addr.path="
            + socket;
    try (ExportWorld world = new ExportWorld()) {
      world.open("driver=file,node-name=disk,filename=" + image);
      world.export(export);
      String blockdev =
          "driver=virtio-blk-vhost-user,node-name=disk,num-queues=2,reconnect-delay=600,path="
              + socket;
      try (FrontEndFixture disk = new FrontEndFixture(blockdev, 2)) {
        assertEquals((long) BLOCKS * BLOCK, disk.node.length());
        CompletableFuture<Void> writer =
            CompletableFuture.runAsync(
                () -> write(disk, model), task -> Thread.ofPlatform().start(task));
        IoThread[] targets = {world.io0, world.io1};
        for (int i = 0; !writer.isDone(); i++) {
          if (disturbance == Disturbance.MOVES) {
            world.move("disk", targets[i % 2]);
          } else {
            world.exports.closeAll();
            world.export(export);
            // Done with the one that has come now, or else it would hardly get anywhere.
            assertEquals(0, disk.run(1, Operation.FLUSH, 0, 0));
          }
        }
        writer.join();
        assertEquals(0, disk.run(0, Operation.FLUSH, 0, 0));
      }
    }
    assertArrayEquals(model, Files.readAllBytes(image));
  }

  /** The back end says so, and the front end's node shows it once it is reopened. */
  @Test
  void showsAnotherLength() throws Exception {
    Path socket = folder.resolve("socket");
    String window = "driver=raw,node-name=window,file=disk,size=";
    try (ExportWorld world = new ExportWorld()) {
      world.open("driver=null-co,node-name=disk,size=4M");
      world.open(window + "1M");
      world.export("vhost-user-blk,id=e,node-name=window,addr.type=unix,addr.path=" + socket);
      String blockdev = "driver=virtio-blk-vhost-user,node-name=disk,read-only=on,path=" + socket;
      try (FrontEndFixture disk = new FrontEndFixture(blockdev, 1)) {
        assertEquals(1 << 20, disk.node.length());
        world.control(() -> world.graph.reopen(List.of(FrontEndFixture.options(window + "2M"))));
        // The node hears of that when it does: each reopening looks.
        while (disk.node.length() != 2 << 20) {
          disk.mainLoop.<Void, Exception>control(
              "reopen",
              () -> {
                disk.graph.reopen(List.of(FrontEndFixture.options(blockdev)));
                return null;
              });
        }
      }
    }
  }

  /** Writes every block once a round, from two contexts, and reads some back. */
  private static void write(FrontEndFixture disk, byte[] model) {
    Random random = new Random(5);
    for (int round = 0; round < ROUNDS; round++) {
      random.nextBytes(model);
      FrontEndFixture.Request[] requests = new FrontEndFixture.Request[BLOCKS];
      for (int i = 0; i < BLOCKS; i++) {
        byte[] block = new byte[BLOCK];
        System.arraycopy(model, i * BLOCK, block, 0, BLOCK);
        requests[i] =
            disk.send(
                i % 2,
                new FrontEndFixture.Request(Operation.WRITE, (long) i * BLOCK, BLOCK)
                    .buffer(FrontEndFixture.bytes(block)));
      }
      for (FrontEndFixture.Request request : requests) {
        assertEquals(0, request.result.join());
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.virtio.driver.BlkDriver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A client that always wants more does not keep the iothread from others. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GreedyClientTest {
  @TempDir Path folder;
  private ExportWorld world;
  private TestFrontEnd neighbour;

  @BeforeEach
  void serve() throws Exception {
    world = new ExportWorld();
    for (String name : List.of("attacked", "neighbour")) {
      Path image = Files.write(folder.resolve(name + ".img"), new byte[1 << 20]);
      world.open("driver=file,node-name=" + name + ",filename=" + image);
      world.export(
          "vhost-user-blk,id=%s,node-name=%s,writable=on,iothread=io0,addr.type=unix,addr.path=%s"
              .formatted(name, name, folder.resolve(name + ".sock")));
    }
    neighbour = TestFrontEnd.connected(folder.resolve("neighbour.sock")).start();
    neighbour.write(1, new byte[512]);
  }

  @AfterEach
  void end() throws Exception {
    neighbour.close();
    world.close();
  }

  @Test
  void idsWithoutEnd() throws Exception {
    try (TestFrontEnd client = TestFrontEnd.connected(folder.resolve("attacked.sock")).start()) {
      client.settle();
      long header = client.buffer(63);
      client.memory.writeInt(header, BlkDriver.GET_ID);
      for (int slot = 0; slot < TestFrontEnd.QUEUE_SIZE; slot++) {
        client.queue.readable(header, 16);
        for (int i = 0; i < 126; i++) {
          client.queue.writable(client.buffer(0), 63 * TestFrontEnd.BUFFER_BYTES);
        }
        client.queue.writable(client.buffer(63) + 64, 1);
        client.queue.submit(slot);
      }
      client.kick();
      CompletableFuture<Void> written = new CompletableFuture<>();
      Thread.ofPlatform()
          .daemon()
          .start(
              () -> {
                try {
                  neighbour.write(1, new byte[512]);
                  written.complete(null);
                } catch (Throwable e) {
                  written.completeExceptionally(e);
                }
              });
      long avail = client.queue.config().driverArea() + 2;
      long used = client.queue.config().deviceArea() + 2;
      while (!written.isDone()) {
        client.memory.writeShort(avail, client.memory.readShort(used) + TestFrontEnd.QUEUE_SIZE);
        Thread.onSpinWait();
      }
      written.join();
    }
  }
}

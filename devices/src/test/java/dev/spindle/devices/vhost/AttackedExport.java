// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * An export that is attacked, and another one on the same iothread. After each test an honest
 * client of each does its I/O, and nothing of the attackers is left.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class AttackedExport {
  @TempDir Path folder;
  ExportWorld world;
  Path socket;
  TestFrontEnd neighbour;
  private long filesBefore;

  @BeforeEach
  void serve() throws Exception {
    world = new ExportWorld();
    socket = folder.resolve("attacked.sock");
    Path other = folder.resolve("neighbour.sock");
    for (String name : List.of("attacked", "neighbour")) {
      Path image = Files.write(folder.resolve(name + ".img"), new byte[1 << 20]);
      world.open("driver=file,node-name=" + name + ",filename=" + image);
      world.export(
          "vhost-user-blk,id=%s,node-name=%s,writable=on,iothread=io0,addr.type=unix,addr.path=%s"
              .formatted(name, name, folder.resolve(name + ".sock")));
    }
    neighbour = TestFrontEnd.connected(other).start();
    neighbour.write(1, new byte[512]);
    filesBefore = openFiles();
  }

  private static long openFiles() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.count();
    }
  }

  @AfterEach
  @Timeout(60)
  void end() throws Exception {
    try {
      byte[] data = new byte[4096];
      data[0] = 1;
      try (TestFrontEnd honest = TestFrontEnd.connected(socket).start()) {
        honest.write(8, data);
        assertArrayEquals(data, honest.read(8, data.length));
      }
      neighbour.write(16, data);
      assertArrayEquals(data, neighbour.read(16, data.length));
      world.exports.close("attacked");
      // The listening socket and what came with clients; the last of them goes with its thread.
      while (openFiles() >= filesBefore) {
        Thread.onSpinWait();
      }
    } finally {
      neighbour.close();
      world.close();
    }
  }

  /** Something a client does. */
  interface Attack {
    void run(TestFrontEnd client) throws Exception;
  }

  void hangsUpOn(Attack attack) throws Exception {
    try (TestFrontEnd client = new TestFrontEnd()) {
      client.connect(socket);
      client.negotiate();
      attack.run(client);
      client.awaitHangUp();
    }
  }
}

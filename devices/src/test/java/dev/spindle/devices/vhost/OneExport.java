// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A disk of zeroes in a file, served to the clients of a test. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class OneExport {
  static final int DISK_BYTES = 4 << 20;

  @TempDir Path folder;
  Path image;
  Path socket;
  ExportWorld world;

  @BeforeEach
  void serve() throws Exception {
    image = Files.write(folder.resolve("disk.img"), new byte[DISK_BYTES]);
    socket = folder.resolve("vhost.sock");
    world = new ExportWorld();
    world.open("driver=file,node-name=disk,filename=" + image);
    world.export(
        "vhost-user-blk,id=e,node-name=disk,writable=on,iothread=io0,addr.type=unix,addr.path="
            + socket);
  }

  @AfterEach
  void end() throws Exception {
    world.close();
    assertFalse(Files.exists(socket), "the socket stays behind");
  }

  static byte[] pattern(long seed, int bytes) {
    byte[] data = new byte[bytes];
    new Random(seed).nextBytes(data);
    return data;
  }

  byte[] onDisk(long sector, int bytes) throws Exception {
    return Arrays.copyOfRange(
        Files.readAllBytes(image), (int) sector * 512, (int) sector * 512 + bytes);
  }
}

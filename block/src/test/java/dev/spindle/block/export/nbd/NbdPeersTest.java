// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What clients that nobody here wrote make of the server. */
class NbdPeersTest {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 64 * MIB;

  @TempDir Path directory;

  private Path image() throws Exception {
    return Disk.image(directory, SIZE);
  }

  private String blockdev(Path image, boolean direct) {
    return "driver=file,node-name=d,filename=" + image + (direct ? ",cache.direct=on" : "");
  }

  @Test
  void nbdinfoFindsWhatIsOffered() throws Exception {
    try (NbdDisk disk = new NbdDisk(directory, blockdev(image(), false))) {
      String info = NbdDisk.run("nbdinfo", disk.uri());
      for (String line :
          new String[] {
            "newstyle-fixed without TLS, using structured packets",
            "export=\"disk\"",
            "description: what a test exports",
            "export-size: 67108864 (64M)",
            "base:allocation",
            "qemu:allocation-depth",
            "is_read_only: false",
            "can_cache: true",
            "can_df: true",
            "can_fast_zero: true",
            "can_flush: true",
            "can_fua: true",
            "can_multi_conn: true",
            "can_trim: true",
            "can_zero: true",
            "block_size_minimum: 1",
            "block_size_preferred: 4096",
            "block_size_maximum: 33554432",
          }) {
        assertTrue(info.contains(line), line + " in " + info);
      }
      String list = NbdDisk.run("nbdinfo", "--list", "nbd+unix:///?socket=" + disk.path);
      assertTrue(list.contains("description: what a test exports"), list);
    }
  }

  @Test
  void readOnlyExportSaysSoAndRefusesWrites() throws Exception {
    try (NbdDisk disk =
        new NbdDisk(directory, blockdev(image(), false), "max-connections=1", "writable=off")) {
      String info = NbdDisk.run("nbdinfo", disk.uri());
      assertTrue(info.contains("is_read_only: true"), info);
      assertTrue(info.contains("can_multi_conn: false"), info);
      String refused = NbdDisk.attempt("qemu-io", "-f", "raw", "-c", "write 0 4096", disk.uri());
      assertTrue(refused.contains("Permission denied"), refused);
      NbdDisk.run("qemu-io", "-r", "-f", "raw", "-c", "read -P 0 0 4096", disk.uri());
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void qemuIoFindsWhatItWrites(boolean direct) throws Exception {
    Path image = image();
    try (NbdDisk disk = new NbdDisk(directory, blockdev(image, direct))) {
      NbdDisk.run(
          "qemu-io",
          "-f",
          "raw",
          "-c",
          "write -P 1 0 4096",
          "-c",
          "write -f -P 2 4096 1M",
          "-c",
          "write -P 3 12345 777",
          "-c",
          "aio_write -P 4 2M 4M",
          "-c",
          "aio_write -P 5 8M 16M",
          "-c",
          "aio_flush",
          "-c",
          "write -z -u 9M 1M",
          "-c",
          "write -z 300 100",
          "-c",
          "discard 4M 1M",
          "-c",
          "flush",
          "-c",
          "read -P 0 300 100",
          "-c",
          "read -P 1 0 300",
          "-c",
          "read -P 3 12345 777",
          "-c",
          "read -P 2 13122 1000000",
          "-c",
          "read -P 5 8M 1M",
          "-c",
          "read -P 0 9M 1M",
          "-c",
          "read -P 5 10M 14M",
          disk.uri());
    }
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "r")) {
      file.seek(12345);
      assertEquals(3, file.read());
      file.seek(2 * MIB);
      assertEquals(4, file.read());
    }
  }

  @Test
  void nbdcopyCopiesInAndOut() throws Exception {
    Path source = directory.resolve("source.img");
    Path copy = directory.resolve("copy.img");
    byte[] bytes = new byte[SIZE];
    new Random(7).nextBytes(bytes);
    // A hole, which the copy finds by block status and fills by zeroing.
    Arrays.fill(bytes, 10 * MIB, 30 * MIB, (byte) 0);
    Files.write(source, bytes);
    NbdDisk.run("fallocate", "-d", source.toString());
    try (NbdDisk disk = new NbdDisk(directory, blockdev(image(), true))) {
      NbdDisk.run("nbdcopy", "--flush", source.toString(), disk.uri());
      NbdDisk.run("nbdcopy", "--connections=4", disk.uri(), copy.toString());
      assertEquals(-1, Files.mismatch(source, copy));
      NbdDisk.run("qemu-img", "compare", "-f", "raw", "-F", "raw", source.toString(), disk.uri());
      String map = NbdDisk.run("nbdinfo", "--map", disk.uri());
      assertTrue(map.matches("(?s).*10485760 +20971520 +3 +hole,zero.*"), map);
      assertTrue(map.matches("(?s) *0 +10485760 +0 +data.*"), map);
    }
  }

  @Test
  void qemuImgSeesHoles() throws Exception {
    try (NbdDisk disk = new NbdDisk(directory, blockdev(image(), false))) {
      NbdDisk.run("qemu-io", "-f", "raw", "-c", "write 1M 64k", disk.uri());
      String map = NbdDisk.run("qemu-img", "map", "--output=json", "-f", "raw", disk.uri());
      assertTrue(map.contains("\"start\": 1048576, \"length\": 65536"), map);
      assertFalse(map.contains("\"length\": 67108864"), map);
      String depth = NbdDisk.run("nbdinfo", "--map=qemu:allocation-depth", disk.uri());
      assertTrue(depth.matches("(?s) *0 +67108864 +1 +local.*"), depth);
    }
  }

  @Test
  void fioVerifiesWhatItWrote() throws Exception {
    try (NbdDisk disk = new NbdDisk(directory, blockdev(image(), true))) {
      NbdDisk.run(
          "fio",
          "--name=verify",
          "--ioengine=nbd",
          "--uri=" + disk.uri(),
          "--rw=randwrite",
          "--bsrange=512-256k",
          "--blockalign=512",
          "--iodepth=32",
          "--size=" + SIZE,
          "--verify=crc32c",
          "--verify_state_save=0",
          "--randseed=7");
    }
  }

  @Test
  void clientsFollowTheirNode() throws Exception {
    try (NbdDisk disk = new NbdDisk(directory, blockdev(image(), true))) {
      Process fio =
          NbdDisk.start(
              "fio",
              "--name=moved",
              "--ioengine=nbd",
              "--uri=" + disk.uri(),
              "--rw=randwrite",
              "--bs=4k",
              "--iodepth=16",
              "--number_ios=20000",
              "--size=" + SIZE,
              "--verify=crc32c",
              "--verify_state_save=0",
              "--randseed=7");
      int moves = 0;
      while (fio.isAlive()) {
        disk.move(moves++ % 2 == 0 ? disk.io1 : disk.io0);
      }
      String output = new String(fio.getInputStream().readAllBytes(), UTF_8);
      assertEquals(0, fio.waitFor(), output);
      assertTrue(moves > 10, "only " + moves + " moves");
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which layer of a backing chain data is in, beside what {@code qemu-nbd} says of the same. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class AllocationDepthTest {
  @TempDir Path directory;

  /** Each layer ends before the one above does. */
  @Test
  void countsLayersAsQemuDoesPastTheirEndsToo() throws Exception {
    Path base = directory.resolve("base.img");
    Path middle = directory.resolve("middle.qcow2");
    Path top = directory.resolve("top.qcow2");
    NbdDisk.run("qemu-img", "create", "-f", "raw", base.toString(), "1M");
    create(middle, base, "raw", "2M");
    create(top, middle, "qcow2", "4M");
    NbdDisk.run("qemu-io", "-f", "qcow2", "-c", "write 1536k 64k", middle.toString());
    NbdDisk.run("qemu-io", "-f", "qcow2", "-c", "write 64k 64k", top.toString());
    NbdDisk.run("qemu-io", "-f", "qcow2", "-c", "write 3M 64k", top.toString());
    for (Path image : new Path[] {top, middle}) {
      String theirs = byQemu(image);
      assertTrue(theirs.contains("backing depth 2"), theirs);
      String blockdev = "driver=qcow2,node-name=d,file.driver=file,file.filename=" + image;
      try (NbdDisk disk = new NbdDisk(directory, blockdev, "", "writable=off")) {
        assertEquals(theirs, map(disk.uri()));
      }
    }
  }

  private static void create(Path image, Path backing, String format, String size)
      throws Exception {
    NbdDisk.run(
        "qemu-img",
        "create",
        "-f",
        "qcow2",
        "-F",
        format,
        "-b",
        backing.toString(),
        image.toString(),
        size);
  }

  private String byQemu(Path image) throws Exception {
    Path socket = directory.resolve("qemu.sock");
    Process server =
        NbdDisk.start(
            "qemu-nbd", "-r", "-A", "-t", "-f", "qcow2", "-k", socket.toString(), image.toString());
    try {
      while (server.isAlive() && !Files.exists(socket)) {
        Thread.onSpinWait();
      }
      return map("nbd+unix:///?socket=" + socket);
    } finally {
      server.destroy();
      server.waitFor();
      Files.deleteIfExists(socket);
    }
  }

  private static String map(String uri) throws Exception {
    return NbdDisk.run("nbdinfo", "--map=qemu:allocation-depth", uri);
  }
}

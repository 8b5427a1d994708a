// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockException;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Dirty bitmaps as NBD clients see them. */
class DirtyBitmapStatusTest {
  @TempDir Path directory;

  @Test
  void nbdinfoMapsABitmap() throws Exception {
    Path image = Disk.image(directory, 16 << 20);
    try (NbdDisk disk = new NbdDisk(directory, "driver=file,node-name=d,filename=" + image)) {
      String described = "type=nbd,id=e1,node-name=d,name=bits,bitmaps.0=b0,bitmaps.1=b1";
      BlockException missing =
          assertThrows(
              BlockException.class,
              () -> disk.control(() -> disk.exports.open(Disk.options(described))));
      assertEquals("Dirty bitmap 'b0' not found", missing.getMessage());
      disk.control(
          () -> {
            disk.node.bitmaps().add("b0", OptionalLong.of(65536));
            disk.node.bitmaps().add("b1", OptionalLong.of(4096));
            disk.exports.open(Disk.options(described));
          });
      NbdDisk.run("qemu-io", "-f", "raw", "-c", "write 1M 1", "-c", "write 3M 100k", disk.uri());
      String uri = "nbd+unix:///bits?socket=" + disk.path;
      String coarse = NbdDisk.run("nbdinfo", "--map=qemu:dirty-bitmap:b0", uri);
      assertTrue(
          coarse.matches("(?s).*1048576 +65536 +1 +dirty.*3145728 +131072 +1 +dirty.*"), coarse);
      String fine = NbdDisk.run("nbdinfo", "--map=qemu:dirty-bitmap:b1", uri);
      assertTrue(fine.matches("(?s).*1048576 +4096 +1 +dirty.*3145728 +102400 +1 +dirty.*"), fine);
      BlockException busy =
          assertThrows(
              BlockException.class,
              () ->
                  disk.control(
                      () -> disk.node.bitmaps().remove(disk.node.bitmaps().require("b0"))));
      assertEquals(
          "Bitmap 'b0' is currently in use by another operation and cannot be used",
          busy.getMessage());
      disk.exports.close("e1");
      disk.control(() -> disk.node.bitmaps().remove(disk.node.bitmaps().require("b0")));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A disk that ends within a block of its node. */
@Timeout(60)
class PartialBlockTest {
  @TempDir Path directory;

  /** {@code nbdinfo} refuses extents that are no multiples of the blocks it was told. */
  @Test
  void statusIsOfWholeBlocks() throws Exception {
    Path image = Disk.image(directory, 1 << 20);
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      for (int at : new int[] {4096, 192 << 10, 252 << 10}) {
        file.seek(at);
        file.write(new byte[4096]);
      }
    }
    try (NbdDisk disk =
        new NbdDisk(
            directory,
            "driver=blkdebug,align=65536,node-name=d,image.driver=file,image.filename=" + image)) {
      disk.control(
          () -> {
            DirtyBitmap bits = disk.node.bitmaps().add("b0", OptionalLong.of(512));
            bits.bits().set(65536 - 512, 1024);
            bits.bits().set((512 << 10) + 1024, 512);
            disk.exports.open(Disk.options("type=nbd,id=e1,node-name=d,name=bits,bitmaps.0=b0"));
          });
      assertEquals(
          List.of(
              "0 65536 0 data",
              "65536 131072 3 hole,zero",
              "196608 65536 0 data",
              "262144 786432 3 hole,zero"),
          map(disk, "base:allocation"));
      assertEquals(
          List.of(
              "0 131072 1 dirty",
              "131072 393216 0 clean",
              "524288 65536 1 dirty",
              "589824 458752 0 clean"),
          map(disk, "qemu:dirty-bitmap:b0"));
    }
  }

  private static List<String> map(NbdDisk disk, String context) throws Exception {
    String uri = "nbd+unix:///bits?socket=" + disk.path;
    return NbdDisk.run("nbdinfo", "--map=" + context, uri)
        .lines()
        .map(line -> line.strip().replaceAll(" +", " "))
        .toList();
  }

  @Test
  void ourOwnClientReadsItsEnd() throws Exception {
    Path image = Disk.image(directory, 8192 + 512);
    try (NbdDisk server =
            new NbdDisk(
                directory,
                "driver=blkdebug,align=4096,node-name=d,image.driver=file,image.filename="
                    + image);
        Disk disk =
            new Disk(
                "driver=nbd,node-name=c,server.type=unix,export=disk,server.path=" + server.path);
        Arena arena = Arena.ofShared()) {
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 8192, arena.allocate(512))));
    }
  }
}

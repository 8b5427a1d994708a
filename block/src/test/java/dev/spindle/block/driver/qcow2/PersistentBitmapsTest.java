// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.bitmap.BitmapChange;
import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.image.SnapshottedImage;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bitmaps that live on in an image: Spindle and QEMU keep them in turn, bit for bit. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PersistentBitmapsTest {
  private static final int ROUNDS = 3;

  @TempDir private Path folder;

  private Path image(String options, long size) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, options, size);
    return file;
  }

  private static void bitmap(Path file, String... words) throws Exception {
    String[] command = new String[words.length + 3];
    command[0] = "qemu-img";
    command[1] = "bitmap";
    System.arraycopy(words, 0, command, 2, words.length - 1);
    command[words.length + 1] = file.toString();
    command[words.length + 2] = words[words.length - 1];
    QemuTool.run(command);
  }

  private static Disk open(Path file, String more) throws Exception {
    return new Disk(
        "driver=qcow2,node-name=disk,file.driver=file,file.node-name=file,file.filename="
            + file
            + more);
  }

  /** What is done on the control side. */
  @FunctionalInterface
  private interface Work<T> {
    T run() throws BlockException;
  }

  private static <T> T control(Disk disk, Work<T> work) throws BlockException {
    return disk.mainLoop.control("test", work::run);
  }

  private static void write(Disk disk, long offset, long length) {
    try (Arena arena = Arena.ofShared()) {
      assertEquals(
          0,
          disk.run(
              TestRequest.transfer(
                  Operation.WRITE, offset, arena.allocate(length, 4096).fill((byte) 7))));
    }
  }

  private static BitSet bits(DirtyBitmap bitmap) {
    BitSet bits = new BitSet();
    for (DirtyArea area : bitmap.bits().dirtyAreas(Long.MAX_VALUE)) {
      bits.set((int) (area.offset() / 512), (int) ((area.end() + 511) / 512));
    }
    return bits;
  }

  /** What QEMU says is dirty, in sectors. */
  private static BitSet qemuBits(Path file, String name) throws Exception {
    String map =
        QemuTool.run(
            "nbdinfo",
            "--map=qemu:dirty-bitmap:" + name,
            "--",
            "[",
            "qemu-nbd",
            "-f",
            "qcow2",
            "-B",
            name,
            file.toString(),
            "]");
    BitSet bits = new BitSet();
    Matcher line = Pattern.compile("(?m)^\\s*(\\d+)\\s+(\\d+)\\s+(\\d)").matcher(map);
    while (line.find()) {
      int start = (int) (Long.parseLong(line.group(1)) / 512);
      int count = (int) ((Long.parseLong(line.group(2)) + 511) / 512);
      bits.set(start, start + count, line.group(3).equals("1"));
    }
    return bits;
  }

  private static void mark(BitSet model, long offset, long length, long granularity, long size) {
    long start = offset / granularity * granularity;
    long end = Math.min(size, (offset + length + granularity - 1) / granularity * granularity);
    model.set((int) (start / 512), (int) (end / 512));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster_size=65536 | 104857600 | 65536 | 1",
        "cluster_size=512 | 20000256 | 512 | 2",
        "cluster_size=4096,extended_l2=off | 33554432 | 4096 | 3",
        "cluster_size=2M | 60000256 | 512 | 4"
      })
  void bothKeepTheSame(String options, int size, int granularity, long seed) throws Exception {
    Path file = image(options, size);
    bitmap(file, "--add", "-g", Integer.toString(granularity), "theirs");
    Random random = new Random(seed);
    BitSet theirs = new BitSet();
    BitSet ours = new BitSet();
    for (int round = 0; round < ROUNDS; round++) {
      try (Disk disk = open(file, "")) {
        DirtyBitmaps bitmaps = disk.node.bitmaps();
        assertEquals(theirs, bits(bitmaps.require("theirs")));
        if (round == 0) {
          control(disk, () -> bitmaps.addPersistent("ours", OptionalLong.of(2L * granularity)));
        } else {
          assertEquals(ours, bits(bitmaps.require("ours")));
        }
        for (int i = 0; i < 12; i++) {
          int length = (1 + random.nextInt(i == 0 ? 4000 : 30)) * 512;
          int offset = random.nextInt((size - length) / 512) * 512;
          write(disk, offset, length);
          mark(theirs, offset, length, granularity, size);
          mark(ours, offset, length, 2L * granularity, size);
        }
        assertEquals(theirs, bits(bitmaps.require("theirs")));
      }
      QemuImg.check(file);
      assertEquals(theirs, qemuBits(file, "theirs"));
      assertEquals(ours, qemuBits(file, "ours"));
      long offset = random.nextInt(size / 512 - 3000) * 512L;
      QemuImg.io(file, List.of("write -P 3 %d 1M".formatted(offset)));
      mark(theirs, offset, 1 << 20, granularity, size);
      mark(ours, offset, 1 << 20, 2L * granularity, size);
      QemuImg.check(file);
    }
  }

  @Test
  void aBitmapThatIsFullTakesNoClusters() throws Exception {
    int size = 4 << 20;
    Path file = image("cluster_size=512", size);
    bitmap(file, "--add", "-g", "512", "b");
    try (Disk disk = open(file, "")) {
      write(disk, 0, size);
    }
    QemuImg.check(file);
    assertEquals(size / 512, qemuBits(file, "b").cardinality());
    try (Disk disk = open(file, ",read-only=on")) {
      assertEquals(size, disk.node.bitmaps().require("b").bits().dirtyBytes());
    }
  }

  @Test
  void verbsReachTheImage() throws Exception {
    Path file = image("", 10 << 20);
    for (String name : List.of("a", "b", "c", "d")) {
      bitmap(file, "--add", name);
    }
    QemuImg.io(file, List.of("write 1M 64k"));
    try (Disk disk = open(file, "")) {
      DirtyBitmaps bitmaps = disk.node.bitmaps();
      control(
          disk,
          () -> {
            bitmaps.clear(bitmaps.require("a"));
            bitmaps.disable(bitmaps.require("b"));
            bitmaps.remove(bitmaps.require("c"));
            return null;
          });
      assertFalse(QemuTool.run("qemu-img", "info", "-U", file.toString()).contains("name: c"));
      control(
          disk,
          () -> {
            Transaction transaction = new Transaction();
            new BitmapChange(bitmaps, transaction).remove(bitmaps.require("d"));
            new BitmapChange(bitmaps, transaction).add("e", OptionalLong.of(4096), true, true);
            transaction.commit();
            return null;
          });
    }
    QemuImg.check(file);
    String info = QemuTool.run("qemu-img", "info", file.toString());
    String flags = info.substring(info.indexOf("bitmaps:"), info.indexOf("refcount bits"));
    assertEquals(
        "bitmaps: [0]: flags: [0]: auto name: a granularity: 65536"
            + " [1]: flags: name: b granularity: 65536 [2]: flags: name: e granularity: 4096",
        flags.replaceAll("\\s+", " ").strip());
    assertTrue(qemuBits(file, "a").isEmpty());
    assertEquals(128, qemuBits(file, "b").cardinality());
  }

  @Test
  void whatWasNotStoredIsInconsistentAndCanOnlyBeRemoved() throws Exception {
    Path file = image("", 10 << 20);
    bitmap(file, "--add", "b");
    bitmap(file, "--add", "c");
    Path crashed = folder.resolve("crashed.qcow2");
    try (Disk disk = open(file, "")) {
      Files.copy(file, folder.resolve("untouched.qcow2"));
      write(disk, 0, 512);
      Files.copy(file, crashed);
    }
    assertFalse(
        QemuTool.run("qemu-img", "info", folder.resolve("untouched.qcow2").toString())
            .contains("in-use"));
    assertTrue(QemuTool.run("qemu-img", "info", crashed.toString()).contains("in-use"));
    QemuImg.check(crashed);
    try (Disk disk = open(crashed, "")) {
      DirtyBitmaps bitmaps = disk.node.bitmaps();
      DirtyBitmap left = bitmaps.require("b");
      assertTrue(left.inconsistent());
      assertFalse(left.recording());
      for (Work<?> verb :
          List.<Work<?>>of(
              () -> {
                bitmaps.clear(left);
                return null;
              },
              () -> {
                bitmaps.enable(left);
                return null;
              })) {
        BlockException refusal = assertThrows(BlockException.class, () -> control(disk, verb));
        assertEquals("Bitmap 'b' is inconsistent and cannot be used", refusal.getMessage());
      }
      control(
          disk,
          () -> {
            bitmaps.remove(left);
            return null;
          });
      write(disk, 0, 512);
    }
    QemuImg.check(crashed);
    String info = QemuTool.run("qemu-img", "info", crashed.toString());
    assertFalse(info.contains("name: b"));
    assertTrue(info.contains("name: c") && info.contains("in-use"), info);
  }

  @Test
  void aReopenedNodeStoresThem() throws Exception {
    Path file = image("", 10 << 20);
    bitmap(file, "--add", "b");
    withNode(
        file,
        (graph, node) -> {
          List<BlockNode> nodes = List.of(node, graph.find("file"));
          DirtyBitmaps bitmaps = node.bitmaps();
          DirtyBitmap bitmap = bitmaps.require("b");
          bitmaps.clear(bitmap);
          bitmaps.mark(65536, 512);
          assertTrue(isInUse(file));
          graph.setReadOnly(nodes, true);
          assertFalse(isInUse(file));
          assertTrue(bitmap.readOnly());
          assertThrows(BlockException.class, () -> bitmaps.clear(bitmap));
          graph.setReadOnly(nodes, false);
          assertFalse(bitmap.readOnly());
          assertFalse(isInUse(file));
          bitmaps.mark(1 << 20, 512);
          bitmaps.disable(bitmap);
          assertTrue(isInUse(file));
        });
    BitSet expected = new BitSet();
    expected.set(128, 256);
    expected.set(2048, 2176);
    assertEquals(expected, qemuBits(file, "b"));
  }

  /** What is done with a node that nobody uses. */
  @FunctionalInterface
  private interface NodeWork {
    void run(BlockGraph graph, BlockNode node) throws Exception;
  }

  private static void withNode(Path file, NodeWork work) throws Exception {
    String options = "driver=qcow2,node-name=disk,file.driver=file,file.node-name=file";
    try (MainLoop mainLoop = MainLoop.start()) {
      BlockGraph graph = new BlockGraph(mainLoop);
      mainLoop.control(
          "test",
          () -> {
            work.run(graph, graph.open(Disk.options(options + ",file.filename=" + file)));
            graph.closeAll();
            return null;
          });
    }
  }

  private static boolean isInUse(Path file) throws Exception {
    return QemuTool.run("qemu-img", "info", "-U", file.toString()).contains("in-use");
  }

  @Test
  void theyFollowTheDisksLength() throws Exception {
    Path file = image("cluster_size=4096", 10 << 20);
    bitmap(file, "--add", "-g", "4096", "b");
    withNode(
        file,
        (graph, node) -> {
          node.bitmaps().enable(node.bitmaps().require("b"));
          node.bitmaps().mark((10 << 20) - 4096, 4096);
          graph.resize(node, 40 << 20, "test");
          node.bitmaps().mark(39 << 20, 8192);
        });
    QemuImg.check(file);
    BitSet expected = new BitSet();
    mark(expected, (10 << 20) - 4096, 4096, 4096, 40 << 20);
    mark(expected, 39 << 20, 8192, 4096, 40 << 20);
    assertEquals(expected, qemuBits(file, "b"));
    withNode(file, (graph, node) -> graph.resize(node, 5 << 20, "test"));
    QemuImg.check(file);
    assertTrue(qemuBits(file, "b").isEmpty());
    withNode(
        file,
        (graph, node) -> {
          node.bitmaps().setInconsistent(node.bitmaps().require("b"));
          BlockException refusal =
              assertThrows(BlockException.class, () -> graph.resize(node, 7 << 20, "test"));
          assertEquals("Bitmap 'b' is inconsistent and cannot be used", refusal.getMessage());
          assertEquals(5 << 20, node.length());
        });
  }

  @Test
  void snapshotsKeepThemButAreNotApplied() throws Exception {
    Path file = image("", 10 << 20);
    bitmap(file, "--add", "b");
    try (Disk disk = open(file, "")) {
      write(disk, 65536, 512);
      SnapshottedImage snapshots = (SnapshottedImage) disk.node;
      String id = control(disk, () -> snapshots.createSnapshot("s", Instant.EPOCH));
      BlockException refusal =
          assertThrows(
              BlockException.class,
              () ->
                  control(
                      disk,
                      () -> {
                        snapshots.applySnapshot(id);
                        return null;
                      }));
      assertEquals("Device has active dirty bitmaps", refusal.getMessage());
    }
    QemuImg.check(file);
    assertEquals(128, qemuBits(file, "b").cardinality());
  }

  @Test
  void thoseThatAProgramHasMissedAreLost() throws Exception {
    Path file = image("", 10 << 20);
    bitmap(file, "--add", "b");
    byte[] bytes = Files.readAllBytes(file);
    bytes[95] &= ~1;
    Files.write(file, bytes);
    try (Disk disk = open(file, "")) {
      assertTrue(disk.node.bitmaps().isEmpty());
      write(disk, 0, 512);
    }
    String check = QemuTool.attempt("qemu-img", "check", file.toString()).output();
    assertTrue(check.contains("leaked clusters"), check);
    assertFalse(check.contains("lacking bitmap support"), check);
    QemuTool.run("qemu-img", "check", "-q", "-r", "leaks", file.toString());
    bitmap(file, "--add", "b");
    QemuImg.check(file);
  }

  @Test
  void imagesThatCannotKeepThemSaySo() throws Exception {
    Path file = image("compat=0.10", 10 << 20);
    try (Disk disk = open(file, "")) {
      BlockException refusal =
          assertThrows(
              BlockException.class,
              () ->
                  control(
                      disk, () -> disk.node.bitmaps().addPersistent("b", OptionalLong.empty())));
      assertEquals(
          "Can't make bitmap 'b' persistent in 'disk': Cannot store dirty bitmaps in qcow2 v2"
              + " files",
          refusal.getMessage());
      BlockException below =
          assertThrows(
              BlockException.class,
              () ->
                  control(
                      disk,
                      () ->
                          disk.graph
                              .find("file")
                              .bitmaps()
                              .addPersistent("b", OptionalLong.empty())));
      assertEquals(
          "Can't store persistent bitmaps to file: Operation not supported", below.getMessage());
    }
  }
}

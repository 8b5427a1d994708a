// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.AllocationWatch;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.image.CheckableImage;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.PackedImage;
import dev.spindle.block.image.SnapshottedImage;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that keep their data in another file, with QEMU's tools for a second opinion. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DataFileTest {
  private static final int SIZE = 3_000_320;

  @TempDir private Path folder;
  private Path file;
  private Path data;

  @BeforeEach
  void paths() {
    file = folder.resolve("image.qcow2");
    data = folder.resolve("data.raw");
  }

  private String node() {
    return "driver=qcow2,node-name=disk,discard=unmap,file.driver=file,file.filename=" + file;
  }

  private void qemuMakes(String options) throws Exception {
    // By a whole name: QEMU would look for another one where it is itself.
    String all = "data_file=" + data + (options.isEmpty() ? "" : "," + options);
    QemuImg.create(file, all, SIZE);
  }

  private static byte[] read(Disk disk) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(SIZE, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 0, buffer)));
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  private byte[] qemuReads() throws Exception {
    QemuImg.check(file);
    return QemuImg.contents(file);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=65536",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=65536,extended_l2=on",
        "cluster_size=4096,data_file_raw=on",
        "cluster_size=65536,extended_l2=on,data_file_raw=on",
        "cluster_size=65536,backing_file=base.raw,backing_fmt=raw",
      })
  void whatQemuMakesIsReadAndWritten(String options) throws Exception {
    byte[] base = new byte[2_000_384];
    Arrays.fill(base, (byte) 9);
    Files.write(folder.resolve("base.raw"), base);
    qemuMakes(options);
    QemuImg.io(file, List.of("write -P 3 0 600k", "write -z 600k 424k", "write -P 7 131072 512"));
    byte[] expected = new byte[SIZE];
    if (options.contains("backing")) {
      System.arraycopy(base, 0, expected, 0, base.length);
    }
    Arrays.fill(expected, 0, 1 << 20, (byte) 0);
    Arrays.fill(expected, 0, 600 << 10, (byte) 3);
    Arrays.fill(expected, 128 << 10, (128 << 10) + 512, (byte) 7);
    boolean raw = options.contains("raw=on");
    try (Disk disk = new Disk(node())) {
      assertArrayEquals(expected, read(disk));
      TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, 0, SIZE);
      zeroes.mayUnmap = true;
      assertEquals(0, disk.run(zeroes));
      expected = RandomRequests.run(disk, SIZE);
      assertEquals(0, disk.run(TestRequest.range(Operation.DISCARD, 100_000, 1_000_000)));
      int cluster = options.contains("65536") ? 65536 : options.contains("4096") ? 4096 : 512;
      int from = (100_000 + cluster - 1) / cluster * cluster;
      Arrays.fill(expected, from, 1_100_000 / cluster * cluster, (byte) 0);
      assertArrayEquals(expected, read(disk));
    }
    assertArrayEquals(expected, qemuReads());
    // In raw ones each byte is where the guest sees it, and it is as long.
    assertTrue(Files.size(data) <= SIZE || raw);
    if (raw) {
      assertArrayEquals(expected, Arrays.copyOf(Files.readAllBytes(data), SIZE));
      String info = QemuTool.run("qemu-img", "info", file.toString());
      assertTrue(info.contains("data file raw: true"), info);
    }
    QemuImg.io(file, List.of("write -P 8 100k 1M", "write -z -u 2M 100k"));
    Arrays.fill(expected, 100 << 10, (100 << 10) + (1 << 20), (byte) 8);
    Arrays.fill(expected, 2 << 20, (2 << 20) + (100 << 10), (byte) 0);
    try (Disk disk = new Disk(node())) {
      assertArrayEquals(expected, read(disk));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=65536", "cluster_size=4096,data_file_raw=on"})
  void itChangesItsLength(String options) throws Exception {
    qemuMakes(options);
    QemuImg.io(file, List.of("write -P 1 0 2900k"));
    byte[] expected = Arrays.copyOf(QemuImg.contents(file), 1_000_448);
    resize(1_000_448);
    boolean raw = options.contains("raw=on");
    if (raw) {
      assertEquals(1_000_448, Files.size(data));
    }
    assertArrayEquals(expected, qemuReads());
    resize(5_000_192);
    expected = Arrays.copyOf(expected, 5_000_192);
    assertArrayEquals(expected, qemuReads());
    if (raw) {
      assertArrayEquals(expected, Files.readAllBytes(data));
      String found = QemuTool.run("qemu-img", "check", file.toString());
      assertTrue(found.contains("1221/1221 = 100.00% allocated"), found);
    }
  }

  private void resize(long size) throws Exception {
    try (TestGraph test = new TestGraph()) {
      BlockNode node = test.open(node());
      BlockBackend backend =
          test.get(
              () ->
                  new BlockBackend(
                      node,
                      new TestGraph.User("u"),
                      EnumSet.of(Permission.WRITE, Permission.RESIZE),
                      Permission.all()));
      test.control(() -> test.graph.resize(backend, size));
      test.control(backend::close);
      test.control(test.graph::closeAll);
    }
  }

  @Test
  void theNodeMayBeGiven() throws Exception {
    qemuMakes("");
    QemuImg.io(file, List.of("write -P 1 0 1M"));
    Path moved = folder.resolve("elsewhere");
    Files.move(data, moved);
    BlockException refusal = assertThrows(BlockException.class, () -> new Disk(node()));
    assertTrue(refusal.getMessage().contains("Could not open data file"), refusal.getMessage());
    String given = ",data-file.driver=file,data-file.node-name=d,data-file.filename=" + moved;
    byte[] expected = new byte[SIZE];
    Arrays.fill(expected, 0, 1 << 20, (byte) 1);
    try (TestGraph test = new TestGraph()) {
      BlockNode node = test.open(node() + given);
      assertEquals(Optional.of(moved), test.get(() -> BackingChain.dataFile(node)));
      assertEquals(0, ((PackedImage) node).packedBytes());
      Exception snapshot =
          assertThrows(
              Exception.class,
              () -> test.get(() -> ((SnapshottedImage) node).createSnapshot("one", Instant.EPOCH)));
      assertTrue(snapshot.getMessage().contains("cannot have internal snapshots"));
      var found = test.get(() -> ((CheckableImage) node).checkImage(Set.of(), message -> {}));
      assertEquals(0, found.corruptions() + found.leaks());
      assertEquals(16, found.allocated());
      var backend = test.use(node, "u");
      var lane = test.lane(backend, test.io0);
      assertArrayEquals(expected, TestGraph.read(lane, SIZE));
      test.closeLane(lane);
      test.control(backend::close);
      test.control(test.graph::closeAll);
    }
    // Whoever may only read the data writes nothing.
    try (TestGraph test = new TestGraph()) {
      assertTrue(test.open(node() + given + ",data-file.read-only=on").readOnly());
      test.control(test.graph::closeAll);
    }
    // Nobody looks at the data to describe the image.
    try (TestGraph test = new TestGraph()) {
      test.control(test.graph::openForDescribing);
      BlockNode node = test.open(node());
      var words = test.get(() -> ((DescribedImage) node).describeImage()).specific();
      assertEquals(data.toString(), words.get("data-file"));
      assertTrue(node.readOnly());
    }
  }

  private String refusal(String description) {
    return assertThrows(Exception.class, () -> new Disk(description).close()).getMessage();
  }

  @Test
  void whatCannotBeIsRefused() throws Exception {
    QemuImg.create(file, "", SIZE);
    Files.write(data, new byte[512]);
    String given = ",data-file.driver=file,data-file.filename=" + data;
    assertEquals(
        "'data-file' can only be set for images with an external data file",
        refusal(node() + given));
    Files.delete(file);
    qemuMakes("");
    assertTrue(refusal(node() + ",data-file=nobody").contains("nobody"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "data.raw | ''",
        "/dev/zero | is not a regular file",
        "/ | is not a regular file",
        "image.qcow2 | names itself as its data file",
        "nbd:x | is not a file on this host",
        "json:{} | is not a file on this host",
        "'' | is required for this image",
      })
  void anImageNamesNoOtherThanAPlainFile(String name, String sentence) throws Exception {
    String text = name.replace("'", "");
    qemuMakes("");
    // The extension with the name is the first.
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(112);
      assertEquals(HeaderExtension.DATA_FILE, access.readInt());
      assertEquals(data.toString().length(), access.readInt());
      byte[] padded = Arrays.copyOf(text.getBytes(UTF_8), 16);
      access.seek(116);
      access.writeInt(text.length());
      access.write(padded);
      // No more extensions.
      access.write(new byte[8]);
    }
    if (sentence.isEmpty()) {
      // A name that does not say all is one beside the image.
      try (Disk disk = new Disk(node())) {
        assertArrayEquals(new byte[SIZE], read(disk));
      }
      return;
    }
    String said = refusal(node());
    assertTrue(said.contains(sentence), said);
  }

  @Test
  void clustersThatAreElsewhereAreRefused() throws Exception {
    qemuMakes("");
    QemuImg.io(file, List.of("write -P 1 0 1M"));
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(40);
      access.seek(access.readLong());
      access.seek((access.readLong() & Entry.OFFSET) + 8);
      access.writeLong(Entry.COPIED | 128 << 10);
    }
    try (Disk disk = new Disk(node());
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(512, 512);
      assertEquals(-5, disk.run(TestRequest.transfer(Operation.READ, 65536, buffer)));
    }
  }

  @Test
  void requestsAllocateNothing() throws Exception {
    QemuImg.create(file, "data_file=" + data, 8 << 20);
    QemuImg.io(file, List.of("write -P 1 0 8M"));
    try (Disk disk = new Disk(node())) {
      AllocationWatch.awaitNoAllocation(disk);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.image.CheckableImage;
import dev.spindle.block.image.CheckableImage.Repair;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.ImageDescription;
import dev.spindle.block.image.PreallocatingImage;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobWorld;
import dev.spindle.block.job.create.CreateJob;
import dev.spindle.block.options.OptionException;
import dev.spindle.linux.LinuxFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is done with images beside reading and writing, beside what QEMU does. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class Qcow2CreatorTest {
  @TempDir private Path folder;
  private JobWorld world;
  private Path ours;
  private Path theirs;

  @BeforeEach
  void start() throws Exception {
    world = new JobWorld();
    ours = folder.resolve("ours.qcow2");
    theirs = folder.resolve("theirs.qcow2");
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private void create(String options) throws Exception {
    Files.write(ours, new byte[] {1, 2, 3});
    CreateJob job =
        CreateJob.of(
            world.test.graph,
            Disk.options("driver=qcow2,file.driver=file,file.filename=" + ours + "," + options));
    world.start(JobOptions.of("create0"), null, job);
    assertEquals(Optional.empty(), world.ended("create0").error());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "size=10M | '' | 10485760",
        "size=1000000,cluster-size=4k,refcount-bits=1 | cluster_size=4k,refcount_bits=1 | 1000000",
        "size=3G,version=v2 | compat=0.10 | 3221225472",
        "size=1M,extended-l2=on,compression-type=zstd,lazy-refcounts=on"
            + " | extended_l2=on,compression_type=zstd,lazy_refcounts=on | 1048576",
        "size=1M,backing-file=base.raw,backing-fmt=raw"
            + " | backing_file=base.raw,backing_fmt=raw | 1048576"
      })
  void makesWhatQemuMakes(String options, String qemuOptions, long size) throws Exception {
    Files.write(folder.resolve("base.raw"), new byte[1 << 20]);
    create(options);
    QemuImg.check(ours);
    QemuImg.create(theirs, qemuOptions, size);
    assertEquals(info(theirs), info(ours));
  }

  private static String info(Path file) throws Exception {
    return QemuTool.run("qemu-img", "info", file.toString())
        .replaceAll("(image|disk size): .*\n", "");
  }

  @ParameterizedTest
  @ValueSource(strings = {"metadata", "falloc", "full"})
  void takesSpaceBeforeItIsNeeded(String mode) throws Exception {
    create("size=5M,cluster-size=4k,preallocation=" + mode);
    String found = QemuTool.run("qemu-img", "check", "-f", "qcow2", ours.toString());
    assertTrue(found.contains("1280/1280 = 100.00% allocated"), found);
    assertArrayEquals(new byte[5 << 20], QemuImg.contents(ours));
    try (LinuxFile file = LinuxFile.open(ours)) {
      assertEquals(!mode.equals("metadata"), file.allocatedBytes() >= 5 << 20);
    }
  }

  @Test
  void refusesWhatCannotBe() throws Exception {
    for (String options :
        List.of(
            "cluster-size=4k",
            "size=1M,cluster-size=5000",
            "size=1M,cluster-size=8G",
            "size=1M,refcount-bits=3",
            "size=1M,version=v2,extended-l2=on",
            "size=1M,backing-file=b",
            "size=1M,backing-file=b,backing-fmt=raw,preallocation=full",
            "size=1M,encrypt.format=aes",
            "size=1M,encrypt.key-secret=s")) {
      OptionException refusal =
          assertThrows(OptionException.class, () -> create(options), () -> options);
      assertTrue(refusal.getMessage().length() > 20, refusal.getMessage());
    }
  }

  private BlockNode open() throws Exception {
    return world.test.open("driver=qcow2,node-name=disk,file.driver=file,file.filename=" + ours);
  }

  @Test
  void isDescribedAndChecked() throws Exception {
    QemuImg.create(ours, "cluster_size=4096", 1 << 20);
    QemuImg.io(ours, List.of("write -P 1 0 64k"));
    QemuTool.run("qemu-img", "snapshot", "-c", "one", ours.toString());
    byte[] bytes = Files.readAllBytes(ours);
    // The second refcount block's worth has a cluster that nothing refers to.
    int table = (int) new Numbers(bytes).at(48, 8);
    int block = (int) new Numbers(bytes).at(table, 8);
    bytes[block + 2 * 200 + 1] = 1;
    Files.write(ours, bytes);
    BlockNode node = open();
    ImageDescription description = world.test.get(() -> ((DescribedImage) node).describeImage());
    assertEquals(4096, description.clusterSize().orElseThrow());
    assertEquals(16L, description.specific().get("refcount-bits"));
    assertEquals("one", description.snapshots().getFirst().name());
    List<String> messages = new ArrayList<>();
    CheckableImage image = (CheckableImage) node;
    assertEquals(1, world.test.get(() -> image.checkImage(Set.of(), messages::add)).leaks());
    assertEquals(List.of("Leaked cluster 200 refcount=1 reference=0"), messages);
    var mended = world.test.get(() -> image.checkImage(EnumSet.of(Repair.LEAKS), message -> {}));
    assertEquals(1, mended.leaksFixed());
    world.test.control(world.test.graph::closeAll);
    QemuImg.check(ours);
  }

  private record Numbers(byte[] bytes) {
    long at(int offset, int length) {
      long value = 0;
      for (int i = 0; i < length; i++) {
        value = value << 8 | (bytes[offset + i] & 0xff);
      }
      return value;
    }
  }

  private BlockBackend resizing(BlockNode node) throws Exception {
    return world.test.get(
        () ->
            new BlockBackend(
                node,
                new TestGraph.User("u"),
                EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE, Permission.RESIZE),
                Permission.all()));
  }

  private void resize(long... sizes) throws Exception {
    BlockNode node = open();
    BlockBackend backend = resizing(node);
    for (long size : sizes) {
      world.test.control(() -> world.test.graph.resize(backend, size));
      assertEquals(size, node.length());
    }
    world.test.control(backend::close);
    world.test.control(() -> world.test.graph.close(node));
    world.test.control(world.test.graph::closeAll);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=65536",
        "cluster_size=512",
        "compat=0.10,cluster_size=4096",
        "cluster_size=16384,extended_l2=on",
        "cluster_size=4096,backing_fmt=raw,backing_file=base.raw",
        "compat=0.10,cluster_size=4096,backing_fmt=raw,backing_file=base.raw"
      })
  void changesItsLength(String options) throws Exception {
    int base = 3_000_320;
    byte[] below = new byte[base];
    Arrays.fill(below, (byte) 9);
    Files.write(folder.resolve("base.raw"), below);
    int size = 2_000_384;
    QemuImg.create(ours, options, size);
    QemuImg.io(ours, List.of("write -P 1 0 100k", "write -P 2 1900k 50k"));
    byte[] before = QemuImg.contents(ours);
    int shorter = 1_000_448;
    int longer = 5_000_192;
    resize(shorter);
    QemuImg.check(ours);
    assertArrayEquals(Arrays.copyOf(before, shorter), QemuImg.contents(ours));
    resize(longer);
    QemuImg.check(ours);
    byte[] expected = Arrays.copyOf(Arrays.copyOf(before, shorter), longer);
    assertArrayEquals(expected, QemuImg.contents(ours));
    QemuImg.io(ours, List.of("write -P 3 4M 100k"));
    Arrays.fill(expected, 4 << 20, (4 << 20) + (100 << 10), (byte) 3);
    resize(longer + 512, longer + 1024, shorter, longer);
    QemuImg.check(ours);
    Arrays.fill(expected, shorter, longer, (byte) 0);
    assertArrayEquals(expected, QemuImg.contents(ours));
  }

  @Test
  void takesSpaceForWhatIsAdded() throws Exception {
    QemuImg.create(ours, "", 1 << 20);
    BlockNode node = open();
    BlockBackend backend = resizing(node);
    world.test.control(() -> world.test.graph.resize(backend, 3 << 20));
    world.test.control(
        () -> ((PreallocatingImage) node).preallocate(1 << 20, Preallocation.METADATA));
    world.test.control(backend::close);
    world.test.control(world.test.graph::closeAll);
    String found = QemuTool.run("qemu-img", "check", "-f", "qcow2", ours.toString());
    assertTrue(found.contains("32/48 = "), found);
  }
}

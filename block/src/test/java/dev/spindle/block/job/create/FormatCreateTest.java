// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.create;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.OpenFiles;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.format.QemuImg;
import dev.spindle.block.job.JobInfo;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobWorld;
import dev.spindle.block.options.OptionException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Images of formats made by the job: QEMU has nothing against them, and uses them. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FormatCreateTest {
  private static final int SIZE = 9 << 20;

  @TempDir private Path folder;
  private JobWorld world;
  private Path image;

  @BeforeEach
  void start() throws Exception {
    world = new JobWorld();
    image = Files.write(folder.resolve("new.image"), new byte[] {1, 2, 3});
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private CreateJob job(String format, String options) throws Exception {
    return CreateJob.of(
        world.test.graph,
        Disk.options(
            "driver="
                + format
                + ",file.driver=file,file.filename="
                + image
                + options.replace(' ', ',')));
  }

  private JobInfo create(String format, String options) throws Exception {
    world.start(JobOptions.of("create0"), null, job(format, options));
    return world.ended("create0");
  }

  @ParameterizedTest
  @CsvSource(
      value = {
        "vdi,true,''",
        "vdi,true,' preallocation=metadata'",
        "vpc,false,' force-size=on'",
        "vpc,false,' subformat=fixed force-size=on'",
        "vmdk,true,''",
        "vmdk,true,' zeroed-grain=on'",
        "vhdx,true,''",
        "vhdx,true,' subformat=fixed block-size=1M'",
        "vhdx,true,' log-size=3M block-state-zero=off'",
        "vmdk,true,' adapter-type=lsilogic hwversion=7 toolsversion=11'",
        "parallels,true,''",
        "parallels,true,' cluster-size=64k'"
      },
      quoteCharacter = '\'')
  void qemuUsesWhatIsMade(String format, boolean checked, String options) throws Exception {
    assertEquals(Optional.empty(), create(format, ",size=" + SIZE + options).error());
    assertEquals(0, OpenFiles.of(image));
    if (checked) {
      QemuImg.run("qemu-img", "check", "-q", "-f", format, image);
    }
    String info = QemuImg.run("qemu-img", "info", "-f", format, "--output=json", image);
    assertTrue(info.contains("\"virtual-size\": " + SIZE), info);
    byte[] model;
    String node = "driver=" + format + ",node-name=d,file.driver=file,file.filename=" + image;
    try (Disk disk = new Disk(node)) {
      assertEquals(SIZE, disk.node.length());
      model = RandomRequests.run(disk, SIZE);
    }
    QemuImg.run("qemu-io", "-f", format, "-c", "write -q -P 9 3M 64k", image);
    Arrays.fill(model, 3 << 20, (3 << 20) + (64 << 10), (byte) 9);
    if (checked) {
      QemuImg.run("qemu-img", "check", "-q", "-f", format, image);
    }
    Path raw = folder.resolve("converted.raw");
    QemuImg.run("qemu-img", "convert", "-f", format, "-O", "raw", image, raw);
    assertArrayEquals(model, Files.readAllBytes(raw));
  }

  /** Sizes are rounded up to what the geometry can say, as QEMU's are. */
  @ParameterizedTest
  @CsvSource({"1M", "100M", "3G", "130G"})
  void aVhdIsAsLongAsItsGeometry(String size) throws Exception {
    assertEquals(Optional.empty(), create("vpc", ",size=" + size).error());
    String own = QemuImg.run("qemu-img", "info", "-f", "vpc", "--output=json", image);
    Path peer = folder.resolve("peer.vhd");
    QemuImg.run("qemu-img", "create", "-q", "-f", "vpc", peer, size);
    String expected = QemuImg.run("qemu-img", "info", "-f", "vpc", "--output=json", peer);
    assertEquals(virtualSize(expected), virtualSize(own));
  }

  private static String virtualSize(String info) {
    return info.replaceFirst("(?s).*\"virtual-size\": (\\d+).*", "$1");
  }

  @Test
  void aNodeInUseIsLeftAlone() throws Exception {
    try (Disk disk = new Disk("driver=raw,node-name=d,file.driver=file,file.filename=" + image)) {
      String error = create("vdi", ",size=1M").error().orElseThrow();
      assertTrue(error.contains("lock"), error);
    }
    assertArrayEquals(new byte[] {1, 2, 3}, Files.readAllBytes(image));
  }

  @Test
  void refusesWhatCannotBe() {
    assertThrows(OptionException.class, () -> job("vdi", ""));
    assertThrows(OptionException.class, () -> job("vdi", ",size=1M,preallocation=full"));
    assertThrows(OptionException.class, () -> job("vdi", ",size=1P"));
    assertThrows(OptionException.class, () -> job("vpc", ",size=3T"));
    assertThrows(OptionException.class, () -> job("vmdk", ",size=3T"));
    assertThrows(OptionException.class, () -> job("vmdk", ",size=1M,subformat=vmfs"));
    assertThrows(OptionException.class, () -> job("vhdx", ",size=65T"));
    assertThrows(OptionException.class, () -> job("vhdx", ",size=1G,block-size=3M"));
    assertThrows(OptionException.class, () -> job("parallels", ",size=1G,cluster-size=100"));
  }
}

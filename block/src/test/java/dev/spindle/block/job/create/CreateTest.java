// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.create;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.Guest;
import dev.spindle.block.job.Images;
import dev.spindle.block.job.JobInfo;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobWorld;
import dev.spindle.block.options.OptionException;
import dev.spindle.linux.LinuxFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CreateTest {
  private static final JobOptions JOB = JobOptions.of("create0");

  @TempDir private Path folder;
  private JobWorld world;
  private Path file;

  @BeforeEach
  void start() throws Exception {
    world = new JobWorld();
    file = folder.resolve("new.raw");
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private CreateJob job(String options) throws Exception {
    return CreateJob.of(
        world.test.graph, Disk.options("driver=file,filename=" + file + "," + options));
  }

  private JobInfo run(String options) throws Exception {
    world.start(JOB, null, job(options));
    return world.ended("create0");
  }

  @ParameterizedTest
  @ValueSource(strings = {"off", "falloc", "full"})
  void makesAFileOfZeroes(String preallocation) throws Exception {
    int size = 3 << 20;
    Files.write(file, new byte[] {1, 2, 3});
    JobInfo end = run("size=" + (size - 100) + ",preallocation=" + preallocation);
    assertEquals(Optional.empty(), end.error());
    assertArrayEquals(new byte[size], Files.readAllBytes(file));
    boolean allocates = !preallocation.equals("off");
    assertEquals(allocates ? size : 0, end.current());
    try (LinuxFile made = LinuxFile.open(file)) {
      assertEquals(allocates, made.allocatedBytes() >= size);
    }
  }

  @Test
  void anImageInUseIsLeftAlone() throws Exception {
    Images images = new Images(world, folder);
    Guest guest = new Guest(world, images.random("new", 1 << 20, 1));
    byte[] before = images.bytes("new");
    String error = run("size=1M").error().orElseThrow();
    assertTrue(error.contains("lock"), error);
    assertArrayEquals(before, images.bytes("new"));
    guest.close();
  }

  @Test
  void cancelledItLeavesNothing() throws Exception {
    world.start(JOB.atSpeed(1), null, job("size=64M,preallocation=full"));
    world.monitor(monitor -> monitor.cancel("create0", true));
    world.awaitGone("create0");
    assertFalse(Files.exists(file));
  }

  /** Somebody puts another file there while the job is at work. */
  @Test
  void cancelledItLeavesTheFileOfAnother() throws Exception {
    world.start(JOB.atSpeed(1), null, job("size=64M,preallocation=full"));
    while (!Files.exists(file)) {
      Thread.onSpinWait();
    }
    Path others = Files.write(folder.resolve("others.raw"), new byte[] {1, 2, 3});
    Files.move(others, file, StandardCopyOption.ATOMIC_MOVE);
    world.monitor(monitor -> monitor.cancel("create0", true));
    world.awaitGone("create0");
    assertArrayEquals(new byte[] {1, 2, 3}, Files.readAllBytes(file));
  }

  @Test
  void aNameThatLeadsNowhereIsLeftAlone() throws Exception {
    Path elsewhere = folder.resolve("elsewhere.raw");
    Files.createSymbolicLink(file, elsewhere);
    String error = run("size=1M").error().orElseThrow();
    assertTrue(error.startsWith("Could not create '" + file + "': "), error);
    assertTrue(Files.isSymbolicLink(file));
    assertFalse(Files.exists(elsewhere));
  }

  @Test
  void refusesWhatCannotBe() throws Exception {
    assertThrows(OptionException.class, () -> job("preallocation=off"));
    assertThrows(OptionException.class, () -> job("size=1M,preallocation=some"));
    assertThrows(OptionException.class, () -> job("size=1M,sise=2M"));
    BlockException refusal =
        assertThrows(
            BlockException.class,
            () -> CreateJob.of(world.test.graph, Disk.options("driver=null-co,size=1M")));
    assertEquals("Driver 'null-co' does not support image creation", refusal.getMessage());
    file = folder.resolve("missing").resolve("new.raw");
    String error = run("size=1M").error().orElseThrow();
    assertTrue(error.startsWith("Could not create '" + file + "': "), error);
  }
}

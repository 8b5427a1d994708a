// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.OverlayChange;
import dev.spindle.block.job.Guest;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobWorld;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Chains of images that qemu-img has made, and looks at afterwards. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class Qcow2ChainTest {
  private static final JobOptions JOB = JobOptions.of("job0");
  private static final int LENGTH = 4 << 20;

  @TempDir private Path folder;
  private JobWorld world;
  private Guest guest;
  private byte[] model;

  @BeforeEach
  void makeImages() throws Exception {
    world = new JobWorld();
    qemu("qemu-img", "create", "-q", "-f", "raw", "base.raw", "4M");
    create("lower.qcow2", "base.raw", "raw", "4M");
    create("middle.qcow2", "lower.qcow2", "qcow2", "3M");
    create("top.qcow2", "middle.qcow2", "qcow2", "4M");
    qemu("qemu-io", "-f", "raw", "-c", "write -P 1 0 4M", "base.raw");
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 2 100k 1M", "lower.qcow2");
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 3 2000k 300k", "middle.qcow2");
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 4 4k 4k", "-c", "write -z 2M 128k", "top.qcow2");
    qemu("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "top.qcow2", "expected.raw");
    model = Files.readAllBytes(folder.resolve("expected.raw"));
    BlockNode top = open("top", "top.qcow2");
    guest = new Guest(world, top);
  }

  @AfterEach
  void stop() throws Exception {
    guest.close();
    world.close();
  }

  private void create(String name, String backing, String format, String size) throws Exception {
    qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", format, name, size);
  }

  private BlockNode open(String name, String file) throws Exception {
    return world.test.open(
        "driver=qcow2,node-name=%s,file.driver=file,file.filename=%s"
            .formatted(name, folder.resolve(file)));
  }

  private String qemu(String... command) throws Exception {
    return QemuTool.run(folder, command);
  }

  private List<String> files() throws Exception {
    return world.test.get(
        () ->
            BackingChain.of(guest.backend.node()).images().stream()
                .map(node -> BackingChain.file(node).orElseThrow().getFileName().toString())
                .toList());
  }

  /** Closes all, and has QEMU read what is left. */
  private void assertImageShowsTheModel(String file, String format) throws Exception {
    world.test.control(guest::leave);
    world.test.control(world.test.graph::closeAll);
    Files.write(folder.resolve("expected.raw"), model);
    if (format.equals("qcow2")) {
      qemu("qemu-img", "check", "-q", file);
    }
    qemu("qemu-img", "compare", "-q", "-f", format, "-F", "raw", file, "expected.raw");
  }

  private void write(int offset, int value) throws Exception {
    byte[] data = new byte[10_000 & -512];
    Arrays.fill(data, (byte) value);
    assertEquals(0, guest.write(offset, data));
    System.arraycopy(data, 0, model, offset, data.length);
  }

  private void end(boolean pivot) throws Exception {
    if (pivot) {
      world.awaitEvent(JobEvent.Ready.class, "job0");
      write(1 << 20, 50);
      world.monitor(monitor -> monitor.complete("job0"));
    }
    assertEquals(Optional.empty(), world.ended("job0").error());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  private void commit(CommitOptions options) throws Exception {
    world.test.control(
        () -> {
          world.jobs.create(
              options.job(), null, options.job(world.test.graph, guest.backend.node()));
          world.jobs.start("job0");
        });
  }

  private void stream(BlockNode node, StreamOptions options) throws Exception {
    world.start(options.job(), null, new StreamJob(world.test.graph, node, options));
  }

  private CommitOptions byFile(String top, String base) {
    return new CommitOptions(
        JOB,
        Optional.ofNullable(top).map(name -> folder.resolve(name).toString()),
        Optional.empty(),
        Optional.of(folder.resolve(base).toString()),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  @Test
  void aStreamedImageStandsAlone() throws Exception {
    stream(guest.backend.node(), StreamOptions.of(JOB));
    write(3 << 20, 60);
    end(false);
    assertEquals(List.of("top.qcow2"), files());
    // What nobody needs any more is closed: others may write there.
    assertEquals(2, (int) world.test.get(() -> world.test.graph.nodes().size()));
    assertImageShowsTheModel("top.qcow2", "qcow2");
    assertFalse(qemu("qemu-img", "info", "top.qcow2").contains("backing file"));
  }

  @Test
  void aStreamedImageNamesItsBase() throws Exception {
    StreamOptions options =
        new StreamOptions(
            JOB,
            Optional.of(folder.resolve("base.raw").toString()),
            Optional.empty(),
            Optional.empty(),
            Optional.of("base.raw"),
            Optional.empty());
    stream(guest.backend.node(), options);
    end(false);
    assertEquals(2, files().size());
    assertImageShowsTheModel("top.qcow2", "qcow2");
    String info = qemu("qemu-img", "info", "top.qcow2");
    assertTrue(info.contains("backing file: base.raw"), info);
    assertTrue(info.contains("backing file format: raw"), info);
  }

  /** It is open for reading alone, as is what its file is. */
  @Test
  void anImageInTheMiddleIsStreamedInto() throws Exception {
    BlockNode middle =
        world.test.get(() -> BackingChain.backing(guest.backend.node()).orElseThrow().node());
    stream(middle, StreamOptions.of(JOB));
    end(false);
    assertTrue(world.test.get(middle::readOnly));
    assertEquals(List.of("top.qcow2", "middle.qcow2"), files());
    assertImageShowsTheModel("top.qcow2", "qcow2");
    qemu("qemu-img", "check", "-q", "middle.qcow2");
  }

  @Test
  void aMiddlePartIsCommitted() throws Exception {
    commit(byFile("middle.qcow2", "base.raw"));
    write(0, 70);
    end(false);
    assertEquals(List.of("top.qcow2", "base.raw"), files());
    assertImageShowsTheModel("top.qcow2", "qcow2");
    String info = qemu("qemu-img", "info", "top.qcow2");
    assertTrue(info.contains("backing file: " + folder.resolve("base.raw")), info);
  }

  @Test
  void aPivotLeadsToTheBase() throws Exception {
    commit(byFile(null, "lower.qcow2"));
    end(true);
    assertEquals(List.of("lower.qcow2", "base.raw"), files());
    write(2 << 20, 80);
    assertImageShowsTheModel("lower.qcow2", "qcow2");
  }

  @Test
  void aPivotLeadsToARawBase() throws Exception {
    commit(byFile(null, "base.raw"));
    end(true);
    write(2 << 20, 90);
    assertImageShowsTheModel("base.raw", "raw");
  }

  /** Overlays made, streamed into, committed and dropped, while somebody writes. */
  @Test
  void aChainLivesLong() throws Exception {
    Random random = new Random(11);
    for (int round = 0; round < 6; round++) {
      String name = "over" + round;
      create(name + ".qcow2", "top.qcow2", "qcow2", "4M");
      BlockNode overlay =
          world.test.open(
              "driver=qcow2,node-name=%s,backing=,file.driver=file,file.filename=%s"
                  .formatted(name, folder.resolve(name + ".qcow2")));
      world.test.control(
          () -> {
            OverlayChange change = new OverlayChange(world.test.graph);
            change.add(guest.backend.node(), overlay);
            change.begin().commit();
            BackingFileChange.run(
                world.test.graph,
                overlay,
                overlay,
                BackingChain.file(BackingChain.backing(overlay).orElseThrow().node())
                    .orElseThrow()
                    .toString());
          });
      write(random.nextInt(LENGTH / 512 - 20) * 512, 100 + round);
      List<BlockNode> images = world.test.get(() -> BackingChain.of(guest.backend.node()).images());
      int upper = random.nextInt(images.size() - 1);
      int lower = upper + 1 + random.nextInt(images.size() - upper - 1);
      if (random.nextBoolean()) {
        stream(images.get(upper), StreamOptions.of(JOB).onto(images.get(lower).name()));
        write(random.nextInt(LENGTH / 512 - 20) * 512, 110 + round);
        end(false);
      } else {
        commit(
            new CommitOptions(
                JOB,
                Optional.empty(),
                Optional.of(images.get(upper).name()),
                Optional.empty(),
                Optional.of(images.get(lower).name()),
                Optional.empty(),
                Optional.empty()));
        write(random.nextInt(LENGTH / 512 - 20) * 512, 120 + round);
        end(upper == 0);
      }
      world.forget("job0");
    }
    String file = files().getFirst();
    assertImageShowsTheModel(file, file.endsWith(".raw") ? "raw" : "qcow2");
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.image.SnapshottedImage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Spindle and QEMU make, apply and delete snapshots of one image in turn. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class InternalSnapshotsTest {
  private static final int SIZE = 1_500_160;

  @TempDir private Path folder;

  /** A snapshot as a byte array remembers it. */
  private record Kept(String id, String name, byte[] contents) {}

  private static void write(OpenedImage image, byte[] model, Random random) throws Qcow2Exception {
    for (int i = 0; i < 12; i++) {
      int length = (1 + random.nextInt(random.nextInt(4) == 0 ? 300 : 20)) * 512;
      int offset = random.nextInt((SIZE - length) / 512) * 512;
      byte[] data = new byte[length];
      if (random.nextInt(4) == 0) {
        image.writer.zero(image.io, offset, length, random.nextBoolean());
      } else {
        random.nextBytes(data);
        image.write(offset, data);
      }
      System.arraycopy(data, 0, model, offset, length);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=65536",
        "cluster_size=512,refcount_bits=64",
        "cluster_size=4096,compat=0.10",
        "cluster_size=16384,extended_l2=on"
      })
  void bothKeepTheSame(String options) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, options, SIZE);
    Random random = new Random(5);
    byte[] model = new byte[SIZE];
    List<Kept> kept = new ArrayList<>();
    for (int round = 0; round < 12; round++) {
      MemoryStorage storage = MemoryStorage.of(file);
      OpenedImage image = OpenedImage.writable(storage);
      write(image, model, random);
      InternalSnapshots snapshots = new InternalSnapshots(image.image, image.io);
      assertEquals(kept.size(), image.image.snapshots().size());
      int kind = random.nextInt(4);
      if (kind < 2 || kept.isEmpty()) {
        String name = "round " + round;
        String id = snapshots.create(name, Instant.ofEpochSecond(1_000_000 + round));
        kept.add(new Kept(id, name, model.clone()));
      } else {
        Kept one = kept.get(random.nextInt(kept.size()));
        if (kind == 2) {
          snapshots.apply(one.id);
          System.arraycopy(one.contents, 0, model, 0, SIZE);
        } else {
          snapshots.delete(one.id);
          kept.remove(one);
        }
      }
      assertArrayEquals(model, image.all());
      write(image, model, random);
      image.settle();
      assertEquals(0, image.image.header().incompatible() & Features.DIRTY);
      storage.save(file);
      QemuImg.check(file);
      assertArrayEquals(model, QemuImg.contents(file));
      for (Kept one : kept) {
        Path raw = folder.resolve("snapshot.raw");
        QemuTool.run(
            "qemu-img",
            "convert",
            "-l",
            "snapshot.id=" + one.id,
            "-O",
            "raw",
            file.toString(),
            raw.toString());
        assertArrayEquals(one.contents, Files.readAllBytes(raw));
      }
      if (!kept.isEmpty() && random.nextInt(3) == 0) {
        QemuTool.run("qemu-img", "snapshot", "-d", kept.removeFirst().name, file.toString());
      }
    }
  }

  @Test
  void whatCannotBeCountedIsRefusedAndChangesNothing() throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "cluster_size=4096,refcount_bits=1", SIZE);
    MemoryStorage storage = MemoryStorage.of(file);
    OpenedImage image = OpenedImage.writable(storage);
    byte[] model = new byte[SIZE];
    write(image, model, new Random(1));
    InternalSnapshots snapshots = new InternalSnapshots(image.image, image.io);
    Qcow2Exception refusal =
        assertThrows(Qcow2Exception.class, () -> snapshots.create("one", Instant.EPOCH));
    assertTrue(refusal.getMessage().contains("refcounts of 1 bits"), refusal.getMessage());
    assertThrows(Qcow2Exception.class, () -> snapshots.delete("7"));
    image.settle();
    storage.save(file);
    QemuImg.check(file);
    assertArrayEquals(model, QemuImg.contents(file));
  }

  /** Wherever the power fails, who opens the image next mends it, and finds what was there. */
  @Test
  void aCrashIsMended() throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "cluster_size=4096", SIZE);
    MemoryStorage start = MemoryStorage.of(file);
    OpenedImage first = OpenedImage.writable(start);
    Random random = new Random(3);
    byte[] kept = new byte[SIZE];
    write(first, kept, random);
    new InternalSnapshots(first.image, first.io).create("one", Instant.EPOCH);
    byte[] model = kept.clone();
    write(first, model, random);
    first.settle();
    for (String what : List.of("create", "apply", "delete")) {
      RecordedStorage storage = new RecordedStorage(start.contents());
      OpenedImage image = OpenedImage.writable(storage);
      InternalSnapshots snapshots = new InternalSnapshots(image.image, image.io);
      switch (what) {
        case "create" -> snapshots.create("two", Instant.EPOCH);
        case "apply" -> snapshots.apply("1");
        default -> snapshots.delete("1");
      }
      for (int step = 0; step <= storage.steps(); step++) {
        for (int i = 0; i < 4; i++) {
          String state = what + ", step " + step + " of " + storage.steps();
          OpenedImage left = OpenedImage.writable(storage.after(step, i == 0 ? null : random));
          CheckResult result = ImageCheck.run(left.image, left.io, false, false, message -> {});
          assertEquals(0, result.corruptions() + result.leaks(), state);
          byte[] found = left.all();
          boolean applied = what.equals("apply") && Arrays.equals(kept, found);
          assertArrayEquals(applied ? kept : model, found, state);
        }
      }
    }
  }

  @Test
  void aNodeMakesThemUnderLoad() throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "", SIZE);
    byte[] before;
    try (Disk disk =
            new Disk("driver=qcow2,node-name=disk,file.driver=file,file.filename=" + file);
        Arena arena = Arena.ofShared()) {
      SnapshottedImage image = (SnapshottedImage) disk.node;
      List<TestRequest> sent = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        MemorySegment data = arena.allocate(8192, 4096).fill((byte) (i + 1));
        TestRequest request = TestRequest.transfer(Operation.WRITE, i * 8192L * 4, data);
        disk.lane().context().execute(() -> disk.lane().submit(request));
        sent.add(request);
      }
      String id = disk.mainLoop.control("snapshot", () -> image.createSnapshot("s", Instant.EPOCH));
      sent.forEach(request -> assertEquals(0, request.result.join()));
      assertEquals("s", image.snapshots().getFirst().name());
      before = read(disk);
      assertEquals(0, disk.run(TestRequest.range(Operation.WRITE_ZEROES, 0, SIZE)));
      disk.mainLoop.control(
          "apply",
          () -> {
            image.applySnapshot(id);
            return null;
          });
      // All that was sent before the snapshot was made is part of it, or came after it whole.
      byte[] after = read(disk);
      for (int i = 0; i < SIZE; i++) {
        assertTrue(after[i] == before[i] || after[i] == 0, "byte " + i);
      }
      BlockException refusal =
          assertThrows(
              BlockException.class,
              () ->
                  disk.mainLoop.control(
                      "delete",
                      () -> {
                        image.deleteSnapshot("9");
                        return null;
                      }));
      assertTrue(refusal.getMessage().contains("'9'"), refusal.getMessage());
    }
    QemuImg.check(file);
  }

  private static byte[] read(Disk disk) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(SIZE, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 0, buffer)));
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    }
  }
}

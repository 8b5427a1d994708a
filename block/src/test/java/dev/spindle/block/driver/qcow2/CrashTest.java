// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.format.QemuTool;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Power cuts. Each write and flush that reaches the file is recorded; the file is made up as it
 * could be after each of them, with all, some or nothing of what was not flushed, torn at sectors.
 * It then opens, has leaks at worst, and what was flushed is there.
 */
class CrashTest {
  private static final int REQUESTS = 60;
  private static final int SUBSETS = 3;

  /** What requests have changed since the last flush, and when they began. */
  private record Change(int step, int from, int to) {}

  /** The contents as they were flushed, and the step that ended the flush. */
  private record Flushed(int step, byte[] contents, List<Change> since) {}

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster_size=512,refcount_bits=64 | 200192 | 1",
        "cluster_size=1024,refcount_bits=1 | 500224 | 2",
        "cluster_size=4096 | 2000384 | 3",
        "cluster_size=512,compat=0.10 | 100352 | 4",
        "cluster_size=16384,extended_l2=on | 1000448 | 5",
        "cluster_size=2048 | 400384 | 6"
      })
  void leavesLeaksAtWorst(String options, int size, long seed) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, options, size);
    byte[] model = new byte[size];
    Random random = new Random(seed);
    if (seed == 6) {
      QemuImg.io(file, List.of("write -P 7 0 300000"));
      QemuTool.run("qemu-img", "snapshot", "-c", "before", file.toString());
      Arrays.fill(model, 0, 300000, (byte) 7);
    }
    RecordedStorage storage = new RecordedStorage(Files.readAllBytes(file));
    List<Flushed> flushes = change(storage, model, random);
    int states = 0;
    for (int step = 0; step <= storage.steps(); step++) {
      for (int i = 0; i <= SUBSETS; i++) {
        MemoryStorage left = storage.after(step, i == 0 ? null : random);
        String state = "step " + step + " of " + storage.steps() + ", subset " + i;
        verify(left, at(flushes, step), step, state);
        if (++states % 400 == 0) {
          askQemu(left, state);
        }
      }
    }
    assertTrue(states > 100, () -> "only a few states");
  }

  private static List<Flushed> change(RecordedStorage storage, byte[] model, Random random)
      throws Exception {
    OpenedImage image = OpenedImage.writable(storage);
    List<Flushed> flushes = new ArrayList<>();
    flushes.add(new Flushed(0, model.clone(), new ArrayList<>()));
    for (int i = 0; i < REQUESTS; i++) {
      int length = (1 + random.nextInt(random.nextInt(6) == 0 ? 40 : 8)) * 512;
      int offset = random.nextInt((model.length - length) / 512 + 1) * 512;
      int kind = random.nextInt(8);
      flushes.getLast().since.add(new Change(storage.steps(), offset, offset + length));
      switch (kind) {
        case 0, 1, 2, 3 -> {
          byte[] data = new byte[length];
          random.nextBytes(data);
          image.write(offset, data);
        }
        case 4 -> image.writer.zero(image.io, offset, length, random.nextBoolean());
        case 5 -> image.writer.discard(image.io, offset, length);
        default -> {
          image.image.flush(image.io);
          flushes.add(new Flushed(storage.steps(), image.all(), new ArrayList<>()));
        }
      }
    }
    image.settle();
    flushes.add(new Flushed(storage.steps(), image.all(), new ArrayList<>()));
    return flushes;
  }

  private static Flushed at(List<Flushed> flushes, int step) {
    Flushed last = flushes.getFirst();
    for (Flushed flushed : flushes) {
      last = flushed.step <= step ? flushed : last;
    }
    return last;
  }

  private static void verify(MemoryStorage left, Flushed flushed, int step, String state)
      throws Exception {
    OpenedImage image = OpenedImage.writable(left);
    List<String> messages = new ArrayList<>();
    CheckResult result = ImageCheck.run(image.image, image.io, false, false, messages::add);
    assertEquals(0, result.corruptions(), () -> state + ": " + messages);
    byte[] found = image.all();
    byte[] expected = flushed.contents.clone();
    for (Change change : flushed.since) {
      if (change.step < step) {
        System.arraycopy(found, change.from, expected, change.from, change.to - change.from);
      }
    }
    assertEquals(-1, Arrays.mismatch(expected, found), state);
  }

  private void askQemu(MemoryStorage left, String state) throws Exception {
    Path file = folder.resolve("left.qcow2");
    left.save(file);
    QemuTool.Result result = QemuTool.attempt("qemu-img", "check", "-f", "qcow2", file.toString());
    // 3 is for leaks.
    assertTrue(result.status() == 0 || result.status() == 3, () -> state + ": " + result.output());
  }
}

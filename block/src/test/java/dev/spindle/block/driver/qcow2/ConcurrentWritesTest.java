// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Many threads write to one image: to sectors of their own in clusters that they share, and give up
 * clusters of their own that others then get.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ConcurrentWritesTest {
  private static final int THREADS = 6;
  private static final int SHARED = 1 << 20;
  private static final int OWN = 256 << 10;
  private static final int SIZE = SHARED + THREADS * OWN;

  @TempDir private Path folder;

  /** One thread's way to the file, which yields to others before data is there. */
  private static final class View implements Storage {
    private final MemoryStorage file;
    private final BounceBuffers buffers = new BounceBuffers();

    View(MemoryStorage file) {
      this.file = file;
    }

    private static void pass() {
      if (ThreadLocalRandom.current().nextInt(3) == 0) {
        Thread.yield();
      }
    }

    @Override
    public BounceBuffers buffers() {
      return buffers;
    }

    @Override
    public long length() {
      synchronized (file) {
        return file.length();
      }
    }

    @Override
    public void resize(long length) throws Qcow2Exception {
      synchronized (file) {
        file.resize(length);
      }
    }

    @Override
    public void read(long offset, IoVector data, long position, long length) throws Qcow2Exception {
      pass();
      synchronized (file) {
        file.read(offset, data, position, length);
      }
    }

    @Override
    public void read(long offset, MemorySegment target) throws Qcow2Exception {
      pass();
      synchronized (file) {
        file.read(offset, target);
      }
    }

    @Override
    public void write(long offset, MemorySegment source) throws Qcow2Exception {
      pass();
      synchronized (file) {
        file.write(offset, source);
      }
    }

    @Override
    public void write(
        long offset,
        MemorySegment head,
        IoVector data,
        long position,
        long length,
        MemorySegment tail)
        throws Qcow2Exception {
      pass();
      synchronized (file) {
        file.write(offset, head, data, position, length, tail);
      }
    }

    @Override
    public void zero(long offset, long length, boolean mayUnmap) throws Qcow2Exception {
      pass();
      synchronized (file) {
        file.zero(offset, length, mayUnmap);
      }
    }

    @Override
    public void discard(long offset, long length) throws Qcow2Exception {
      pass();
      synchronized (file) {
        file.discard(offset, length);
      }
    }

    @Override
    public void flush() {
      pass();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cluster_size=4096", "cluster_size=16384,extended_l2=on", "cluster_size=65536"})
  void writesKeepApart(String options) throws Exception {
    Path path = folder.resolve("image.qcow2");
    QemuImg.create(path, options, SIZE);
    MemoryStorage file = MemoryStorage.of(path);
    OpenedImage image = OpenedImage.writable(file);
    byte[] model = new byte[SIZE];
    List<Future<Void>> ends = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
      for (int i = 0; i < THREADS; i++) {
        ends.add(threads.submit(writer(image.on(new View(file)), model, i)));
      }
    }
    for (Future<Void> end : ends) {
      end.get();
    }
    assertArrayEquals(model, image.all());
    image.settle();
    CheckResult result = ImageCheck.run(image.image, image.io, false, false, message -> {});
    assertEquals(0, result.corruptions() + result.leaks());
    file.save(path);
    QemuImg.check(path);
    assertArrayEquals(model, QemuImg.contents(path));
  }

  /** A thread's work; what it writes of the model, no other thread writes. */
  private static Callable<Void> writer(OpenedImage image, byte[] model, int number) {
    return () -> {
      Random random = new Random(number);
      Epochs.Users users = image.image.epochs().join();
      for (int i = 0; i < 400; i++) {
        int epoch = image.image.epochs().begin(users);
        try {
          step(image, model, number, random);
        } finally {
          image.image.epochs().end(users, epoch);
        }
      }
      image.image.epochs().leave(users);
      return null;
    };
  }

  private static void step(OpenedImage image, byte[] model, int number, Random random)
      throws Qcow2Exception {
    int own = SHARED + number * OWN;
    switch (random.nextInt(6)) {
      case 0, 1, 2 -> {
        int sector = random.nextInt(SHARED / 512 / THREADS) * THREADS + number;
        write(image, model, sector * 512, 512, random);
      }
      case 3 -> {
        int length = (1 + random.nextInt(64)) * 512;
        write(image, model, own + random.nextInt((OWN - length) / 512) * 512, length, random);
      }
      case 4 -> {
        image.writer.discard(image.io, own, OWN);
        Arrays.fill(model, own, own + OWN, (byte) 0);
      }
      default -> image.image.flush(image.io);
    }
  }

  private static void write(OpenedImage image, byte[] model, int offset, int length, Random random)
      throws Qcow2Exception {
    byte[] data = new byte[length];
    random.nextBytes(data);
    image.write(offset, data);
    System.arraycopy(data, 0, model, offset, length);
    assertArrayEquals(data, image.read(offset, length));
  }
}

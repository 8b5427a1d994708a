// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.spindle.linux.Errno;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fuzzer makes up images, which are opened, read, checked, written to and given snapshots.
 * Whatever it makes up, there is a sentence on what is wrong with it at worst.
 */
class ImageFuzzTest {
  private static final int MOST_INPUT = 128 << 10;
  private static final int MOST_FILE = 1 << 20;
  private static final int PIECE = 8 << 10;

  /** A file on a small disk. */
  private static final class SmallDisk extends MemoryStorage {
    SmallDisk(byte[] contents) {
      super(contents);
    }

    @Override
    void put(long offset, byte[] source) throws Qcow2Exception {
      check(offset + source.length);
      super.put(offset, source);
    }

    @Override
    public void resize(long newLength) throws Qcow2Exception {
      check(newLength);
      super.resize(newLength);
    }

    private static void check(long end) throws Qcow2Exception {
      if (end < 0 || end > MOST_FILE) {
        throw new Qcow2Exception(Errno.ENOSPC, "the disk is full");
      }
    }
  }

  private static byte[] seed(int cluster, int bits, int version, boolean extended, boolean zstd)
      throws Qcow2Exception {
    return seed(cluster, bits, version, extended, zstd, 0);
  }

  private static byte[] seed(
      int cluster, int bits, int version, boolean extended, boolean zstd, int encryptionBytes)
      throws Qcow2Exception {
    NewImage plain = NewImage.of(0);
    SmallDisk disk = new SmallDisk(new byte[0]);
    new NewImage(
            100_352,
            cluster,
            bits,
            version,
            false,
            extended,
            zstd,
            plain.backingName(),
            plain.backingFormat(),
            plain.dataFile(),
            false,
            encryptionBytes)
        .write(disk);
    OpenedImage image = OpenedImage.writable(disk);
    byte[] data = new byte[10_000 / 512 * 512];
    new Random(1).nextBytes(data);
    image.write(512, data);
    image.write(50_176, data);
    if (bits > 1) {
      new InternalSnapshots(image.image, image.io).create("s", Instant.EPOCH);
    }
    image.writer.zero(image.io, 1024, 20_480, true);
    image.settle();
    return disk.contents();
  }

  static Stream<byte[]> seeds() throws Qcow2Exception {
    List<byte[]> seeds = new ArrayList<>();
    seeds.add(seed(512, 16, 3, false, false));
    seeds.add(seed(512, 1, 3, false, false));
    seeds.add(seed(1024, 64, 3, false, true));
    seeds.add(seed(4096, 16, 2, false, false));
    seeds.add(seed(16384, 8, 3, true, false));
    seeds.add(seed(512, 16, 3, false, false, 2000));
    return seeds.stream();
  }

  @MethodSource("seeds")
  @FuzzTest(maxDuration = "", maxExecutions = 400)
  void images(byte[] bytes) {
    if (bytes.length > MOST_INPUT) {
      return;
    }
    attempt(() -> look(OpenedImage.readOnly(new SmallDisk(bytes))));
    SmallDisk disk = new SmallDisk(bytes);
    attempt(() -> change(OpenedImage.writable(disk)));
  }

  /** Something that an image may refuse. */
  @FunctionalInterface
  private interface Use {
    void run() throws Qcow2Exception;
  }

  private static void attempt(Use use) {
    try {
      use.run();
    } catch (Qcow2Exception e) {
      assertTrue(e.getMessage().length() > 5 && e.errno() > 0, e.getMessage());
    }
  }

  private static void look(OpenedImage image) throws Qcow2Exception {
    ImageReport.of(
        image.image.header(), image.image.snapshots(), image.image.bitmaps().entries(), null);
    long length = image.image.length();
    for (long at = 0; at < length && at < 32L * PIECE; at += PIECE) {
      long from = at;
      attempt(() -> image.read(from, (int) Math.min(PIECE, length - from)));
    }
    if (length > PIECE) {
      attempt(() -> image.read(length - PIECE, PIECE));
    }
    if (image.image.map().l1Size() <= 1 << 12 && image.image.snapshots().size() <= 16) {
      ImageCheck.run(image.image, image.io, false, false, message -> {});
    }
  }

  private static void change(OpenedImage image) throws Qcow2Exception {
    long length = image.image.length();
    if (length < PIECE || image.image.map().l1Size() > 1 << 12) {
      return;
    }
    byte[] data = new byte[PIECE];
    attempt(() -> image.write(0, data));
    attempt(() -> image.write((length - PIECE) & -512, data));
    attempt(() -> image.writer.zero(image.io, 512, Math.min(length - 512, 100_000), true));
    attempt(() -> image.writer.discard(image.io, 0, Math.min(length, 100_000)));
    attempt(() -> new InternalSnapshots(image.image, image.io).create("new", Instant.EPOCH));
    attempt(() -> image.write(0, data));
    for (Snapshot snapshot : image.image.snapshots().stream().limit(4).toList()) {
      attempt(() -> new InternalSnapshots(image.image, image.io).apply(snapshot.id()));
    }
    for (Snapshot snapshot : image.image.snapshots().stream().limit(4).toList()) {
      attempt(() -> new InternalSnapshots(image.image, image.io).delete(snapshot.id()));
    }
    attempt(image::settle);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.bitmap.BitmapStore;
import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.format.QemuTool;
import dev.spindle.linux.Errno;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bitmaps on their way to the image: power cuts, disks that are full, and images that lie. */
class StoredBitmapsTest {
  private static final int SIZE = 2_000_384;
  private static final int ROUNDS = 5;

  @TempDir private Path folder;

  /**
   * Bitmaps that are stored.
   *
   * @param from step before which nothing of that is in the file
   * @param to step from which on the image says that they may be wrong
   */
  private record Stored(int from, int to, Map<String, List<DirtyArea>> bitmaps) {}

  private static DirtyBitmaps bitmaps() {
    return new DirtyBitmaps(() -> SIZE, 0, () -> {}, BitmapStore.none("test"));
  }

  private static Map<String, List<DirtyArea>> areas(DirtyBitmaps bitmaps) {
    Map<String, List<DirtyArea>> all = new LinkedHashMap<>();
    bitmaps.named().forEach(bitmap -> all.put(bitmap.name(), areas(bitmap.bits())));
    return all;
  }

  private static List<DirtyArea> areas(HierarchicalBitmap bits) {
    List<DirtyArea> areas = new ArrayList<>();
    bits.dirtyAreas(Long.MAX_VALUE).forEach(areas::add);
    return areas;
  }

  private byte[] newImage(String options) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, options, SIZE);
    return Files.readAllBytes(file);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster_size=512 | 1",
        "cluster_size=1024,refcount_bits=1 | 2",
        "cluster_size=4096 | 3",
        "cluster_size=65536 | 4"
      })
  void aCrashLeavesLeaksAndBitmapsInUseAtWorst(String options, long seed) throws Exception {
    RecordedStorage storage = new RecordedStorage(newImage(options));
    Random random = new Random(seed);
    DirtyBitmaps bitmaps = bitmaps();
    OpenedImage image = OpenedImage.writable(storage);
    List<Stored> stored = new ArrayList<>();
    int from = 0;
    int last = 0;
    for (int round = 0; round < ROUNDS; round++) {
      Map<String, List<DirtyArea>> before = areas(bitmaps);
      image.image.begin(image.io);
      int begun = storage.steps();
      if (round == ROUNDS - 1) {
        for (DirtyBitmap bitmap : bitmaps.named()) {
          bitmaps.remove(bitmap);
        }
      } else if (round != 3) {
        bitmaps.restore("b" + round, new HierarchicalBitmap(SIZE, 512L << round), true);
      }
      image.write(random.nextInt(1000) * 512L, new byte[1024]);
      for (int i = 0; i < 20; i++) {
        bitmaps.mark(random.nextInt(SIZE), 1 + random.nextInt(round == 2 ? SIZE : 5000));
      }
      image.image.flush(image.io);
      from = storage.steps();
      new StoredBitmaps(image.image, image.io).store(bitmaps.named());
      image.image.end();
      // An image without bitmaps has nothing to mark.
      stored.add(new Stored(last, before.isEmpty() ? storage.steps() : begun, before));
      last = from;
    }
    stored.add(new Stored(from, storage.steps(), areas(bitmaps)));
    int right = 0;
    for (int step = 0; step <= storage.steps(); step++) {
      for (int i = 0; i < 4; i++) {
        MemoryStorage left = storage.after(step, i == 0 ? null : random);
        right += verify(left, stored, step, "step " + step + " of " + storage.steps());
      }
    }
    assertTrue(right > 4 * ROUNDS, "the bitmaps are hardly ever right");
  }

  /** Returns whether the image has bitmaps that are said to be right. */
  private static int verify(MemoryStorage left, List<Stored> all, int step, String state)
      throws Exception {
    OpenedImage image = OpenedImage.writable(left);
    List<String> messages = new ArrayList<>();
    CheckResult result = ImageCheck.run(image.image, image.io, false, false, messages::add);
    assertEquals(0, result.corruptions(), () -> state + ": " + messages);
    List<BitmapEntry> entries = image.image.bitmaps().entries();
    if (entries.stream().anyMatch(BitmapEntry::inUse)) {
      return 0;
    }
    Map<String, List<DirtyArea>> found = new LinkedHashMap<>();
    for (BitmapEntry entry : entries) {
      HierarchicalBitmap bits = new HierarchicalBitmap(SIZE, entry.granularity());
      BitmapTable.read(left, image.image.geometry(), entry)
          .load(left, image.image.geometry(), bits);
      found.put(entry.name(), areas(bits));
    }
    assertTrue(
        all.stream()
            .anyMatch(one -> one.from <= step && step <= one.to && one.bitmaps.equals(found)),
        () -> state + ": " + found.keySet());
    return entries.isEmpty() ? 0 : 1;
  }

  @Test
  void whatCannotBeWrittenLeavesNothingBehind() throws Exception {
    byte[] start = newImage("cluster_size=4096");
    MemoryStorage storage = new MemoryStorage(start);
    DirtyBitmaps bitmaps = bitmaps();
    bitmaps.restore("b", new HierarchicalBitmap(SIZE, 512), true);
    bitmaps.mark(0, 512);
    OpenedImage image = OpenedImage.writable(storage);
    new StoredBitmaps(image.image, image.io).store(bitmaps.named());
    image.settle();
    for (int writes = 0; ; writes++) {
      FullStorage full = new FullStorage(storage.contents());
      OpenedImage later = OpenedImage.writable(full);
      later.image.begin(later.io);
      full.left = writes;
      try {
        new StoredBitmaps(later.image, later.io).store(bitmaps.named());
        assertTrue(writes > 4, "it takes more than " + writes + " writes");
        break;
      } catch (Qcow2Exception e) {
        assertEquals("full", e.getMessage());
      }
      full.left = Integer.MAX_VALUE;
      OpenedImage again = OpenedImage.writable(new MemoryStorage(full.contents()));
      CheckResult result = ImageCheck.run(again.image, again.io, false, false, message -> {});
      assertEquals(0, result.corruptions(), "after " + writes + " writes");
    }
  }

  /** A file that takes so many more writes. */
  private static final class FullStorage extends MemoryStorage {
    private int left = Integer.MAX_VALUE;

    FullStorage(byte[] contents) {
      super(contents);
    }

    @Override
    void put(long offset, byte[] source) throws Qcow2Exception {
      if (left-- <= 0) {
        throw new Qcow2Exception(Errno.ENOSPC, "full");
      }
      super.put(offset, source);
    }
  }

  private static ByteBuffer extension(byte[] image) {
    ByteBuffer all = ByteBuffer.wrap(image);
    for (int at = 112; ; at += 8 + (all.getInt(at + 4) + 7 & -8)) {
      if (all.getInt(at) == HeaderExtension.BITMAPS) {
        return all.slice(at + 4, 28);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "extension | 4 | 0 | it has 0 bitmaps",
        "extension | 4 | 70000 | it has 70000 bitmaps",
        "extension | 4 | 2 | the bitmap directory ends within an entry",
        "extension | 8 | 1 | 32 bytes at",
        "extension | 12 | 1 | 4294967328 bytes at",
        "extension | 16 | 40 | 8 bytes follow its last entry",
        "extension | 16 | 16 | the bitmap directory ends within an entry",
        "extension | 24 | 4097 | 32 bytes at 0x1001",
        "extension | 20 | 16 | 32 bytes at",
        "extension | 0 | 16 | its header extension has 16 bytes",
        "entry | 4 | 4097 | bitmap 'bitmap' is described by what cannot be",
        "entry | 0 | -1 | bitmap 'bitmap' is described by what cannot be",
        "entry | 8 | 0 | bitmap 'bitmap' is described by what cannot be",
        "entry | 8 | -1 | bitmap 'bitmap' is described by what cannot be",
        "entry | 12 | 8 | bitmap 'bitmap' is described by what cannot be",
        "entry | 16 | 34144262 | bitmap 'bitmap' has the unknown type 2",
        "entry | 16 | 17301510 | bitmap 'bitmap' is described by what cannot be",
        "entry | 16 | 18874374 | bitmap 'bitmap' is described by what cannot be",
        "entry | 20 | -5 | the bitmap directory ends within an entry",
        "entry | 20 | 100 | the bitmap directory ends within an entry",
        "table | 4 | 4097 | The table of bitmap 'bitmap' says what cannot be",
        "table | 4 | 2 | The table of bitmap 'bitmap' says what cannot be",
        "table | 0 | 1 | The table of bitmap 'bitmap' says what cannot be",
        "table | 0 | 16777216 | The table of bitmap 'bitmap' says what cannot be"
      })
  void imagesThatLieAreRefused(String what, int at, int value, String words) throws Exception {
    newImage("cluster_size=4096");
    Path file = folder.resolve("image.qcow2");
    QemuTool.run("qemu-img", "bitmap", "--add", "-g", "65536", file.toString(), "bitmap");
    QemuImg.io(file, List.of("write 0 512"));
    byte[] image = Files.readAllBytes(file);
    ByteBuffer extension = extension(image);
    int directory = (int) extension.getLong(20);
    switch (what) {
      case "extension" -> extension.putInt(at, value);
      case "entry" -> ByteBuffer.wrap(image).putInt(directory + at, value);
      default -> {
        int table = (int) ByteBuffer.wrap(image).getLong(directory);
        ByteBuffer.wrap(image).putInt(table + at, value);
      }
    }
    Qcow2Exception refusal =
        assertThrows(Qcow2Exception.class, () -> OpenedImage.readOnly(new MemoryStorage(image)));
    assertTrue(refusal.getMessage().contains(words), refusal.getMessage());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class HierarchicalBitmapTest {
  /** Sizes in granules at which a word or a level begins or ends. */
  private static final long[] EDGES = {1, 63, 64, 65, 4095, 4096, 4097, 262143, 262144, 262145};

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 63, 64, 65, 127, 4096, 4097, 262144, 262209})
  void agreesWithBitSetOnWholeGranules(long granules) throws Exception {
    compareWithModel(granules << 9, 512, 40 + granules);
  }

  @ParameterizedTest
  @CsvSource({
    "1,1",
    "100,1",
    "65537,1",
    "511,512",
    "513,512",
    "2097663,512",
    "300000001,65536",
    "5,2147483648",
    "1125899906842623,2147483648"
  })
  void agreesWithBitSetOnAnySize(long size, long granularity) throws Exception {
    if (size >>> 32 != 0) {
      // A BitSet cannot hold it: what is at its end, and nothing between.
      HierarchicalBitmap bitmap = new HierarchicalBitmap(size, granularity);
      bitmap.set(size - 1, 1);
      bitmap.set(3, 1);
      long last = size / granularity * granularity;
      assertEquals(last, bitmap.nextDirty(granularity, Long.MAX_VALUE));
      assertEquals(new DirtyArea(last, size - last), bitmap.nextDirtyArea(granularity, size, size));
      assertEquals(granularity + size - last, bitmap.dirtyBytes());
      return;
    }
    compareWithModel(size, granularity, size);
  }

  private static void compareWithModel(long size, long granularity, long seed) throws Exception {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(size, granularity);
    BitmapModel model = new BitmapModel(size, granularity);
    SplittableRandom random = new SplittableRandom(seed);
    for (int step = 0; step < 3000; step++) {
      long offset = nearEdge(random, size, granularity);
      long bytes = Math.min(size - offset, length(random, size, granularity));
      if (random.nextInt(5) < 3) {
        bitmap.set(offset, bytes);
        model.set(offset, bytes);
      } else {
        long from = offset / granularity * granularity;
        long to = Math.min(size, (offset + bytes + granularity - 1) / granularity * granularity);
        bitmap.reset(from, to - from);
        model.reset(from, to - from);
      }
      model.check(bitmap, offset, nearEdge(random, size, granularity) + 1, 1 + bytes / 2);
    }
    model.checkWhole(bitmap);
    bitmap.clear();
    assertEquals(0, bitmap.dirtyBytes());
    assertEquals(-1, bitmap.nextDirty(0, size));
  }

  /** A byte of the disk, mostly one beside the edge of a word or a level. */
  private static long nearEdge(SplittableRandom random, long size, long granularity) {
    if (random.nextInt(4) == 0) {
      return random.nextLong(size);
    }
    long edge = EDGES[random.nextInt(EDGES.length)] * random.nextInt(1, 4) * granularity;
    long near = edge + random.nextLong(-granularity, granularity + 1);
    return Math.min(Math.max(near, 0), size - 1);
  }

  private static long length(SplittableRandom random, long size, long granularity) {
    return switch (random.nextInt(4)) {
      case 0 -> random.nextLong(3);
      case 1 -> granularity * random.nextInt(1, 130);
      case 2 -> EDGES[random.nextInt(EDGES.length)] * granularity;
      default -> random.nextLong(size + 1);
    };
  }

  @Test
  void marksEveryGranuleThatARangeTouches() throws Exception {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(10_000, 1024);
    bitmap.set(1023, 2);
    assertEquals(new DirtyArea(0, 2048), bitmap.nextDirtyArea(0, 10_000, 10_000));
    assertEquals(new DirtyArea(1500, 548), bitmap.nextDirtyArea(1500, 10_000, 10_000));
    assertEquals(new DirtyArea(1500, 100), bitmap.nextDirtyArea(1500, 10_000, 100));
    assertEquals(new DirtyArea(1500, 20), bitmap.nextDirtyArea(1500, 1520, 100));
    assertNull(bitmap.nextDirtyArea(2048, 10_000, 1));
    assertEquals(2048, bitmap.nextClean(1023, 10_000));
    assertEquals(-1, bitmap.nextClean(0, 2048));
    assertTrue(bitmap.get(2047));
    assertFalse(bitmap.get(2048));
  }

  @Test
  void theLastGranuleEndsWhereTheBitmapEnds() throws Exception {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(10_000, 4096);
    bitmap.set(9_999, Long.MAX_VALUE - 5000);
    assertEquals(1, bitmap.dirtyGranules());
    assertEquals(10_000 - 8192, bitmap.dirtyBytes());
    assertEquals(new DirtyArea(8192, 1808), bitmap.nextDirtyArea(0, Long.MAX_VALUE, 1 << 20));
    bitmap.set(10_000, 5);
    assertEquals(1, bitmap.dirtyGranules());
    bitmap.reset(8192, 1808);
    assertEquals(0, bitmap.dirtyGranules());
  }

  @Test
  void anEmptyDiskHasNothingToMark() throws Exception {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(0, 512);
    bitmap.set(0, 100);
    bitmap.clear();
    assertEquals(0, bitmap.dirtyBytes());
    assertEquals(-1, bitmap.nextDirty(0, 100));
    assertEquals(-1, bitmap.nextClean(0, 100));
    assertEquals(0, bitmap.serializedSize(0, 0));
  }

  @ParameterizedTest
  @CsvSource({"512,512", "1,512", "1024,1023", "1024,8976", "0,10001", "-1,1", "512,-512"})
  void partOfAGranuleCannotBeReset(long offset, long bytes) throws Exception {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(10_000, 1024);
    bitmap.set(0, 10_000);
    if (offset == 1024 && bytes == 8976) {
      bitmap.reset(offset, bytes);
      assertEquals(1024, bitmap.dirtyBytes());
      return;
    }
    assertThrows(IllegalArgumentException.class, () -> bitmap.reset(offset, bytes));
    assertEquals(10_000, bitmap.dirtyBytes());
  }

  @Test
  void walksAllDirtyAreas() throws Exception {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(1 << 20, 512);
    bitmap.set(512, 1024);
    bitmap.set(1 << 19, 3000);
    List<DirtyArea> areas = new ArrayList<>();
    bitmap.dirtyAreas(1024).forEach(areas::add);
    assertEquals(
        List.of(
            new DirtyArea(512, 1024),
            new DirtyArea(1 << 19, 1024),
            new DirtyArea((1 << 19) + 1024, 1024),
            new DirtyArea((1 << 19) + 2048, 1024)),
        areas);
  }

  @ParameterizedTest
  @CsvSource({
    "1000000,512,1000000,512", "1000000,512,1000000,65536", "1000000,65536,1000000,512",
    "1000000,1,1000000,4096", "500000,512,1000000,512", "1000000,512,500001,512",
    "1000000,4096,300001,512"
  })
  void mergesBitmapsOfAnyGranularityAndSize(long size, long granularity, long from, long unit)
      throws Exception {
    SplittableRandom random = new SplittableRandom(size ^ granularity ^ from ^ unit);
    HierarchicalBitmap target = new HierarchicalBitmap(size, granularity);
    HierarchicalBitmap source = new HierarchicalBitmap(from, unit);
    BitmapModel model = new BitmapModel(size, granularity);
    BitmapModel sourceModel = new BitmapModel(from, unit);
    for (int i = 0; i < 30; i++) {
      long offset = random.nextLong(size);
      target.set(offset, 700);
      model.set(offset, Math.min(700, size - offset));
      long other = random.nextLong(from);
      source.set(other, 900);
      sourceModel.set(other, Math.min(900, from - other));
    }
    target.merge(source);
    for (long granule = 0; granule * unit < Math.min(size, from); granule++) {
      if (sourceModel.bits.get((int) granule)) {
        long start = granule * unit;
        model.set(start, Math.min(Math.min(size, from), start + unit) - start);
      }
    }
    model.checkWhole(target);
    sourceModel.checkWhole(source);
  }

  @Test
  void serializesAsJavasBitSetAndQemuDo() throws Exception {
    SplittableRandom random = new SplittableRandom(7);
    HierarchicalBitmap bitmap = new HierarchicalBitmap(512 * 10_000 - 100, 512);
    BitmapModel model = new BitmapModel(bitmap.size(), 512);
    for (int i = 0; i < 200; i++) {
      long offset = random.nextLong(bitmap.size());
      long bytes = Math.min(random.nextLong(5000), bitmap.size() - offset);
      bitmap.set(offset, bytes);
      model.set(offset, bytes);
    }
    long part = bitmap.serializationAlignment() * 3;
    HierarchicalBitmap copy = new HierarchicalBitmap(bitmap.size(), 512);
    copy.set(0, copy.size());
    byte[] all = new byte[(int) bitmap.serializedSize(0, bitmap.size())];
    assertEquals((10_000 + 63) / 64 * 8, all.length);
    bitmap.serialize(0, bitmap.size(), MemorySegment.ofArray(all));
    assertEquals(model.bits, BitSet.valueOf(all));
    for (long offset = 0; offset < bitmap.size(); offset += part) {
      long bytes = Math.min(part, bitmap.size() - offset);
      byte[] some = new byte[(int) bitmap.serializedSize(offset, bytes)];
      bitmap.serialize(offset, bytes, MemorySegment.ofArray(some));
      byte[] expected = new byte[some.length];
      System.arraycopy(all, (int) (offset / 512 / 8), expected, 0, expected.length);
      assertArrayEquals(expected, some);
      copy.deserialize(offset, bytes, MemorySegment.ofArray(some));
    }
    model.checkWhole(copy);
  }

  @Test
  void bitsPastTheEndAreNotTakenOver() throws Exception {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(70 * 512, 512);
    byte[] hostile = new byte[16];
    Arrays.fill(hostile, (byte) 0xff);
    bitmap.deserialize(0, bitmap.size(), MemorySegment.ofArray(hostile));
    assertEquals(70, bitmap.dirtyGranules());
    assertEquals(bitmap.size(), bitmap.dirtyBytes());
    byte[] back = new byte[16];
    bitmap.serialize(0, bitmap.size(), MemorySegment.ofArray(back));
    assertEquals(0b111111, back[8]);
    assertEquals(0, back[9]);
  }

  @Test
  void aShortSourceChangesNothing() throws Exception {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(70 * 512, 512);
    bitmap.set(0, 512);
    MemorySegment shortSource = MemorySegment.ofArray(new byte[8]);
    assertThrows(
        IndexOutOfBoundsException.class, () -> bitmap.deserialize(0, 70 * 512, shortSource));
    assertThrows(IllegalArgumentException.class, () -> bitmap.deserialize(512, 512, shortSource));
    assertEquals(512, bitmap.dirtyBytes());
  }

  @Test
  void whatNoMemoryHoldsIsRefused() {
    BlockException refusal =
        assertThrows(BlockException.class, () -> new HierarchicalBitmap(Long.MAX_VALUE, 512));
    assertEquals(
        "A bitmap of 9223372036854775807 bytes with a granularity of 512 needs 2147483648 MiB of"
            + " memory, which is too much; a larger granularity needs less",
        refusal.getMessage());
    // Refused before anything is allocated: half of the memory that there is.
    long size = Runtime.getRuntime().maxMemory() / 2 * 8;
    assertThrows(BlockException.class, () -> new HierarchicalBitmap(size, 1));
  }

  @ParameterizedTest
  @CsvSource({"-1,512", "1000,0", "1000,3", "1000,4294967296", "1000,-512"})
  void whatIsNoBitmapIsAProgrammersMistake(long size, long granularity) {
    assertThrows(IllegalArgumentException.class, () -> new HierarchicalBitmap(size, granularity));
  }
}

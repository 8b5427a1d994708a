// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockException;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class DirtyBitmapsTest {
  private static final long SIZE = 1 << 20;
  private static final OptionalLong FINE = OptionalLong.of(512);
  private static final String BUSY =
      "Bitmap 'b' is currently in use by another operation and cannot be used";
  private static final String READ_ONLY = "Bitmap 'b' is readonly and cannot be modified";
  private static final String INCONSISTENT = "Bitmap 'b' is inconsistent and cannot be used";

  private final DirtyBitmaps bitmaps =
      new DirtyBitmaps(() -> SIZE, 0, () -> {}, BitmapStore.none("node"));

  @Test
  void writesMarkEveryEnabledBitmap() throws Exception {
    bitmaps.mark(0, 1);
    DirtyBitmap fine = bitmaps.add("fine", FINE);
    DirtyBitmap coarse = bitmaps.add("coarse", OptionalLong.of(65536));
    DirtyBitmap off = bitmaps.add("off", FINE);
    bitmaps.disable(off);
    bitmaps.mark(70_000, 512);
    assertEquals(1024, fine.bits().dirtyBytes());
    assertEquals(65536, coarse.bits().dirtyBytes());
    assertEquals(0, off.bits().dirtyBytes());
    bitmaps.enable(off);
    bitmaps.disable(fine);
    bitmaps.mark(0, 512);
    assertEquals(512, off.bits().dirtyBytes());
    assertEquals(1024, fine.bits().dirtyBytes());
    bitmaps.remove(coarse);
    bitmaps.disable(off);
    assertEquals(List.of(fine, off), bitmaps.named());
  }

  @Test
  void tellsWhatQapiTells() throws Exception {
    DirtyBitmap bitmap =
        bitmaps.restore("b", new HierarchicalBitmap(SIZE, FINE.orElseThrow()), true);
    bitmaps.mark(0, 513);
    DirtyBitmap job = bitmaps.addAnonymous(65536);
    assertNull(job.name());
    assertEquals(
        List.of(new DirtyBitmapInfo("b", 1024, 512, true, false, true, false)), bitmaps.query());
    bitmaps.freeze(bitmap);
    assertEquals(
        List.of(new DirtyBitmapInfo("b", 1024, 512, true, true, true, false)), bitmaps.query());
    bitmaps.abdicate(bitmap);
    bitmaps.setInconsistent(bitmap);
    assertEquals(
        List.of(new DirtyBitmapInfo("b", 0, 512, false, false, true, true)), bitmaps.query());
  }

  @ParameterizedTest
  @CsvSource({"0,65536", "512,4096", "4096,4096", "16384,16384", "65536,65536", "2097152,65536"})
  void granularityFollowsTheClusterSize(long clusterSize, long granularity) throws Exception {
    DirtyBitmaps of = new DirtyBitmaps(() -> SIZE, clusterSize, () -> {}, BitmapStore.none("node"));
    assertEquals(granularity, of.add("b", OptionalLong.empty()).granularity());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "256|Granularity must be power of 2 and at least 512",
        "0|Granularity must be power of 2 and at least 512",
        "-512|Granularity must be power of 2 and at least 512",
        "1000|Granularity must be power of 2 and at least 512",
        "4294967296|Granularity must be at most 2147483648",
      })
  void refusesGranularities(long granularity, String sentence) {
    refused(sentence, () -> bitmaps.add("b", OptionalLong.of(granularity)));
    assertEquals(List.of(), bitmaps.named());
  }

  @Test
  void refusesNames() throws Exception {
    String longest = "é".repeat(511) + "x";
    bitmaps.add(longest, FINE);
    assertSame(bitmaps.named().getFirst(), bitmaps.require(longest));
    refused("Bitmap name cannot be empty", () -> bitmaps.add("", FINE));
    refused("Bitmap already exists: " + longest, () -> bitmaps.add(longest, FINE));
    refused("Bitmap name too long: x" + longest, () -> bitmaps.add("x" + longest, FINE));
    refused("Dirty bitmap 'b' not found", () -> bitmaps.require("b"));
    assertEquals(1, bitmaps.named().size());
  }

  @Test
  void nobodyTouchesABusyBitmap() throws Exception {
    DirtyBitmap bitmap = bitmaps.add("b", FINE);
    DirtyBitmap other = bitmaps.add("other", FINE);
    bitmaps.mark(0, 512);
    bitmaps.reserve(bitmap);
    refused(BUSY, () -> bitmaps.remove(bitmap));
    refused(BUSY, () -> bitmaps.clear(bitmap));
    refused(BUSY, () -> bitmaps.enable(bitmap));
    refused(BUSY, () -> bitmaps.disable(bitmap));
    refused(BUSY, () -> bitmaps.freeze(bitmap));
    refused(BUSY, () -> bitmaps.reserve(bitmap));
    refused(BUSY, () -> bitmaps.merge(bitmap, List.of(other)));
    refused(BUSY, () -> bitmaps.merge(other, List.of(bitmap)));
    refused(BUSY, () -> bitmaps.resize(2 * SIZE));
    assertEquals(SIZE, other.size());
    assertTrue(bitmap.recording());
    bitmaps.release(bitmap);
    assertEquals(512, bitmap.bits().dirtyBytes());
    bitmaps.remove(bitmap);
  }

  @Test
  void nobodyChangesAReadOnlyBitmap() throws Exception {
    DirtyBitmap bitmap = bitmaps.add("b", FINE);
    DirtyBitmap other = bitmaps.add("other", FINE);
    bitmaps.mark(0, 512);
    bitmaps.clear(other);
    assertFalse(bitmaps.anyReadOnly());
    bitmaps.setReadOnly(bitmap, true);
    assertTrue(bitmaps.anyReadOnly());
    refused(READ_ONLY, () -> bitmaps.remove(bitmap));
    refused(READ_ONLY, () -> bitmaps.clear(bitmap));
    refused(READ_ONLY, () -> bitmaps.merge(bitmap, List.of(other)));
    bitmaps.merge(other, List.of(bitmap));
    assertEquals(512, other.bits().dirtyBytes());
    bitmaps.disable(bitmap);
    bitmaps.enable(bitmap);
    assertEquals(512, bitmap.bits().dirtyBytes());
  }

  @Test
  void anInconsistentBitmapCanOnlyBeRemoved() throws Exception {
    DirtyBitmap bitmap = bitmaps.add("b", FINE);
    DirtyBitmap other = bitmaps.add("other", FINE);
    bitmaps.setInconsistent(bitmap);
    bitmaps.mark(0, 512);
    assertEquals(0, bitmap.bits().dirtyBytes());
    refused(INCONSISTENT, () -> bitmaps.clear(bitmap));
    refused(INCONSISTENT, () -> bitmaps.enable(bitmap));
    refused(INCONSISTENT, () -> bitmaps.disable(bitmap));
    refused(INCONSISTENT, () -> bitmaps.freeze(bitmap));
    refused(INCONSISTENT, () -> bitmaps.reserve(bitmap));
    refused(INCONSISTENT, () -> bitmaps.merge(bitmap, List.of(other)));
    refused(INCONSISTENT, () -> bitmaps.merge(other, List.of(bitmap)));
    bitmaps.remove(bitmap);
    assertEquals(List.of(other), bitmaps.named());
  }

  @Test
  void mergesAllOrNothing() throws Exception {
    DirtyBitmap target = bitmaps.add("target", OptionalLong.of(4096));
    DirtyBitmap bitmap = bitmaps.add("b", FINE);
    DirtyBitmap small =
        new DirtyBitmaps(() -> SIZE / 2, 0, () -> {}, BitmapStore.none("node")).add("small", FINE);
    bitmaps.mark(5000, 1);
    bitmaps.clear(target);
    refused(
        "Bitmaps are of different sizes (destination size is 1048576, source size is 524288) and"
            + " can't be merged",
        () -> bitmaps.merge(target, List.of(bitmap, small)));
    assertEquals(0, target.bits().dirtyBytes());
    bitmaps.merge(target, List.of(bitmap, target));
    assertEquals(new DirtyArea(4096, 4096), target.bits().nextDirtyArea(0, SIZE, SIZE));
  }

  @Test
  void aFrozenBitmapStaysWhileItsSuccessorRecords() throws Exception {
    DirtyBitmap bitmap = bitmaps.add("b", FINE);
    bitmaps.mark(0, 512);
    bitmaps.freeze(bitmap);
    assertTrue(bitmap.busy() && bitmap.frozen() && bitmap.recording());
    bitmaps.mark(1024, 512);
    assertEquals(512, bitmap.bits().dirtyBytes());
    refused(BUSY, () -> bitmaps.freeze(bitmap));
    assertThrows(IllegalStateException.class, () -> bitmaps.release(bitmap));
    bitmaps.abdicate(bitmap);
    assertFalse(bitmap.busy() || bitmap.frozen());
    assertEquals(new DirtyArea(1024, 512), bitmap.bits().nextDirtyArea(0, SIZE, SIZE));
    bitmaps.mark(4096, 512);
    assertEquals(1024, bitmap.bits().dirtyBytes());
    assertThrows(IllegalStateException.class, () -> bitmaps.abdicate(bitmap));
  }

  @Test
  void aReclaimedBitmapHasBoth() throws Exception {
    DirtyBitmap bitmap = bitmaps.add("b", FINE);
    bitmaps.mark(0, 512);
    bitmaps.freeze(bitmap);
    bitmaps.mark(1024, 512);
    bitmaps.reclaim(bitmap);
    bitmaps.mark(4096, 512);
    assertEquals(1536, bitmap.bits().dirtyBytes());
    assertThrows(IllegalStateException.class, () -> bitmaps.reclaim(bitmap));
  }

  @Test
  void theSuccessorOfADisabledBitmapRecordsNothing() throws Exception {
    DirtyBitmap bitmap = bitmaps.add("b", FINE);
    bitmaps.mark(0, 512);
    bitmaps.disable(bitmap);
    bitmaps.freeze(bitmap);
    bitmaps.mark(1024, 512);
    bitmaps.reclaim(bitmap);
    assertFalse(bitmap.recording());
    assertEquals(512, bitmap.bits().dirtyBytes());
  }

  @Test
  void resizesAllOrNothing() throws Exception {
    DirtyBitmap bitmap = bitmaps.add("b", FINE);
    DirtyBitmap off = bitmaps.add("off", FINE);
    bitmaps.mark(0, 512);
    bitmaps.mark(SIZE - 512, 512);
    bitmaps.disable(off);
    bitmaps.resize(2 * SIZE + 100);
    bitmaps.mark(2 * SIZE, 100);
    assertEquals(1124, bitmap.bits().dirtyBytes());
    assertEquals(1024, off.bits().dirtyBytes());
    assertThrows(BlockException.class, () -> bitmaps.resize(Long.MAX_VALUE));
    assertEquals(1124, bitmap.bits().dirtyBytes());
    bitmaps.resize(SIZE - 100);
    assertEquals(512 + 412, bitmap.bits().dirtyBytes());
    assertEquals(SIZE - 100, bitmaps.add("new", FINE).size());
  }

  @Test
  void anotherNodesBitmapIsAProgrammersMistake() throws Exception {
    DirtyBitmap bitmap =
        new DirtyBitmaps(() -> SIZE, 0, () -> {}, BitmapStore.none("node")).add("b", FINE);
    assertThrows(IllegalArgumentException.class, () -> bitmaps.clear(bitmap));
    assertThrows(IllegalArgumentException.class, () -> bitmaps.remove(bitmap));
  }

  private static void refused(String sentence, Executable call) {
    assertEquals(sentence, assertThrows(BlockException.class, call).getMessage());
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Timeout;

/**
 * Several threads write and mark while another one searches and cleans, as with a mirror and its
 * disk. Each write gives a granule a new version before it marks it; each copy cleans a granule
 * before it reads its version. So whatever was marked before a pass of the copier began has been
 * copied when that pass ends, in the version that was marked or a later one. Every writer looks at
 * that for every mark.
 */
@Timeout(60)
final class ConcurrentMarksTest {
  private static final int WRITERS = 2;
  private static final int BATCHES = 400;
  private static final int BATCH = 8;
  private static final long UNIT = 512;

  /** So few that writers meet in words, so far apart that words empty and fill all the time. */
  private final int[] granules = new int[12];

  private AtomicLongArray versions;
  private AtomicLongArray copies;

  /** Passes that the copier has begun and ended. */
  private final AtomicLong begun = new AtomicLong();

  private final AtomicLong ended = new AtomicLong();
  private final AtomicInteger writing = new AtomicInteger(WRITERS);

  @RepeatedTest(6)
  void aMirrorLosesNoMark(RepetitionInfo repetition) throws Exception {
    DirtyBitmaps bitmaps = prepare(repetition);
    HierarchicalBitmap bits = bitmaps.addAnonymous(UNIT).bits();
    whileWriting(
        bitmaps,
        random -> {
          long most = UNIT * random.nextInt(1, 200);
          DirtyArea area = bits.nextDirtyArea(0, bits.size(), most);
          while (area != null) {
            bits.reset(area.offset(), area.bytes());
            copy(area);
            area = bits.nextDirtyArea(area.end(), bits.size(), most);
          }
        });
    assertEquals(0, bits.dirtyGranules());
  }

  @RepeatedTest(6)
  void backupsThatFailBeforeOneSucceedsLoseNoMark(RepetitionInfo repetition) throws Exception {
    DirtyBitmaps bitmaps = prepare(repetition);
    DirtyBitmap bitmap = bitmaps.add("b", OptionalLong.of(UNIT));
    whileWriting(
        bitmaps,
        random -> {
          if (random.nextBoolean()) {
            bitmaps.resize((versions.length() + random.nextInt(100)) * UNIT);
          }
          if (random.nextBoolean()) {
            bitmaps.freeze(bitmap);
            bitmaps.reclaim(bitmap);
          }
          bitmaps.freeze(bitmap);
          bitmap.bits().dirtyAreas(Long.MAX_VALUE).forEach(this::copy);
          bitmaps.abdicate(bitmap);
        });
  }

  @RepeatedTest(2)
  void whatManyThreadsMarkIsCountedOnce(RepetitionInfo repetition) throws Exception {
    DirtyBitmaps bitmaps = prepare(repetition);
    HierarchicalBitmap bits = bitmaps.addAnonymous(UNIT).bits();
    whileWriting(
        bitmaps,
        random -> {
          long found = 0;
          for (DirtyArea area : bits.dirtyAreas(UNIT)) {
            copy(area);
            found++;
          }
          assertTrue(found <= granules.length);
        });
    long distinct = Arrays.stream(granules).distinct().count();
    assertEquals(distinct, bits.dirtyGranules());
  }

  private DirtyBitmaps prepare(RepetitionInfo repetition) {
    // Two levels, or three.
    int count = repetition.getCurrentRepetition() % 2 == 0 ? 4096 : 262144;
    SplittableRandom random = new SplittableRandom(repetition.getCurrentRepetition());
    for (int i = 0; i < granules.length; i += 2) {
      int word = random.nextInt(count / 64);
      granules[i] = word * 64 + random.nextInt(64);
      granules[i + 1] = word * 64 + random.nextInt(64);
    }
    versions = new AtomicLongArray(count);
    copies = new AtomicLongArray(count);
    return new DirtyBitmaps(() -> count * UNIT, 0, () -> {}, BitmapStore.none("node"));
  }

  /** Runs {@code pass} again and again until the writers have ended. */
  private void whileWriting(DirtyBitmaps bitmaps, Pass pass) throws Exception {
    List<CompletableFuture<Void>> writers = new ArrayList<>();
    for (int i = 0; i < WRITERS; i++) {
      SplittableRandom random = new SplittableRandom(i);
      writers.add(
          CompletableFuture.runAsync(
              () -> write(bitmaps, random), task -> Thread.ofPlatform().start(task)));
    }
    SplittableRandom random = new SplittableRandom(99);
    try {
      while (writing.get() > 0) {
        begun.incrementAndGet();
        pass.run(random);
        ended.incrementAndGet();
      }
    } finally {
      ended.set(Long.MAX_VALUE);
    }
    for (CompletableFuture<Void> writer : writers) {
      writer.join();
    }
  }

  private void write(DirtyBitmaps bitmaps, SplittableRandom random) {
    try {
      int[] chosen = new int[BATCH];
      long[] written = new long[BATCH];
      for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < BATCH; i++) {
          chosen[i] = granules[random.nextInt(granules.length)];
          written[i] = versions.incrementAndGet(chosen[i]);
          bitmaps.mark(chosen[i] * UNIT + random.nextLong(UNIT), 1);
        }
        // The pass under way may have been past it already; the next one was not.
        long needed = begun.get() + 1;
        while (ended.get() < needed) {
          Thread.yield();
        }
        for (int i = 0; i < BATCH; i++) {
          assertTrue(copies.get(chosen[i]) >= written[i], "a mark was lost");
        }
      }
    } finally {
      writing.decrementAndGet();
    }
  }

  private void copy(DirtyArea area) {
    for (long at = area.offset(); at < area.end(); at += UNIT) {
      int granule = (int) (at / UNIT);
      copies.set(granule, versions.get(granule));
    }
  }

  private interface Pass {
    void run(SplittableRandom random) throws Exception;
  }
}

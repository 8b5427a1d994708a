// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Clusters that were given up, and who may have them next, and when. */
class GivenUpClustersTest {
  private static final int CLUSTER = 4096;
  private static final int SIZE = 1 << 20;

  private RecordedStorage storage;
  private OpenedImage image;

  @BeforeEach
  void open() throws Exception {
    MemoryStorage empty = new MemoryStorage(new byte[0]);
    NewImage plain = NewImage.of(SIZE);
    new NewImage(
            SIZE,
            CLUSTER,
            16,
            3,
            false,
            false,
            false,
            plain.backingName(),
            plain.backingFormat(),
            plain.dataFile(),
            false,
            0)
        .write(empty);
    storage = new RecordedStorage(empty.contents());
    image = OpenedImage.writable(storage);
  }

  private static byte[] data(int value) {
    byte[] data = new byte[CLUSTER];
    Arrays.fill(data, (byte) value);
    return data;
  }

  private long host(long offset) throws Exception {
    Found found = new Found();
    image.image.find(image.io, offset, 512, found);
    return found.host;
  }

  /** A request found a cluster, and comes to it when that has been given up. */
  @Test
  void nobodyGetsThemWhileARequestIsOnItsWayThere() throws Exception {
    image.write(0, data(1));
    image.image.flush(image.io);
    long end = storage.length();
    Epochs epochs = image.image.epochs();
    Epochs.Users users = epochs.join();
    int epoch = epochs.begin(users);
    long host = host(0);
    image.writer.discard(image.io, 0, CLUSTER);
    for (int i = 1; i < 8; i++) {
      image.image.flush(image.io);
      image.write((long) i * CLUSTER, data(i));
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment late = arena.allocate(CLUSTER).fill((byte) 99);
      IoVector vector = new IoVector(1);
      vector.add(late, 0, CLUSTER);
      storage.write(host, MemorySegment.NULL, vector, 0, CLUSTER, MemorySegment.NULL);
    }
    epochs.end(users, epoch);
    for (int i = 1; i < 8; i++) {
      assertArrayEquals(data(i), image.read((long) i * CLUSTER, CLUSTER), "cluster " + i);
    }
    // From now on it is free.
    image.image.flush(image.io);
    image.image.flush(image.io);
    assertTrue(storage.length() > end);
    image.write(SIZE / 2, data(1));
    assertEquals(host, host(SIZE / 2));
  }

  /** Before a flush, a crash may bring back whatever referred to them. */
  @Test
  void nobodyGetsThemBeforeAFlush() throws Exception {
    image.write(0, data(1));
    image.image.flush(image.io);
    long host = host(0);
    image.writer.discard(image.io, 0, CLUSTER);
    image.write(SIZE / 2, data(2));
    assertTrue(host(SIZE / 2) != host);
  }

  /**
   * Free clusters hold what was there before: an L2 table in one of them must be in the file before
   * an L1 entry leads there.
   */
  @Test
  void tablesAreInTheFileBeforeAnythingLeadsToThem() throws Exception {
    Random random = new Random(4);
    byte[] junk = new byte[40 * CLUSTER];
    random.nextBytes(junk);
    MemoryStorage filled = new MemoryStorage(storage.contents());
    OpenedImage before = OpenedImage.writable(filled);
    before.write(0, junk);
    before.writer.discard(before.io, 0, junk.length);
    before.settle();
    // The table of what was discarded goes, too, so that the next write makes one.
    before.image.locked(
        before.io,
        () -> {
          before.image.metadata().dropTable(0);
          return null;
        });
    before.settle();
    RecordedStorage recorded = new RecordedStorage(filled.contents());
    OpenedImage after = OpenedImage.writable(recorded);
    after.write(5L * CLUSTER, data(7));
    after.settle();
    for (int step = 0; step <= recorded.steps(); step++) {
      for (int i = 0; i < 20; i++) {
        MemoryStorage left = recorded.after(step, i == 0 ? null : random);
        OpenedImage found = OpenedImage.writable(left);
        CheckResult result = ImageCheck.run(found.image, found.io, false, false, message -> {});
        assertEquals(0, result.corruptions(), "after step " + step);
      }
    }
    assertArrayEquals(data(7), after.read(5L * CLUSTER, CLUSTER));
  }
}

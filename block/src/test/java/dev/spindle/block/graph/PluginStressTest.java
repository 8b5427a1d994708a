// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A disk of two drivers that users wrote, one before the other, moves between iothreads, is drained
 * and reopened, while users write and know what must be there.
 */
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PluginStressTest {
  private static final int USERS = 4;
  private static final long USER_BYTES = (long) BusyUser.BLOCK * BusyUser.BLOCKS;
  private static final int STEPS = 400;

  @TempDir Path folder;

  /** Waits, lets others in, and has blocks that are larger than what the users write. */
  private static final String SLOW_RAM =
      """
      import dev.spindle.block.options.*;
      import dev.spindle.block.plugin.*;
      import java.lang.foreign.*;
      import java.util.concurrent.atomic.AtomicInteger;

      class Slow implements DiskDriver {
        private final MemorySegment memory = Arena.ofAuto().allocate(SIZE);
        private final AtomicInteger count = new AtomicInteger();
        private boolean ownThreads;

        public void configure(Options options) throws OptionException {
          ownThreads = options.bool("own-threads", false);
        }

        public boolean needsOwnThreads() { return ownThreads; }
        public ThreadModel threadModel() { return ThreadModel.PARALLEL; }
        public int blockSize() { return 2048; }
        public long size() { return memory.byteSize(); }

        private void linger() throws Exception {
          if (count.incrementAndGet() % 16 == 0) {
            Thread.sleep(1);
          } else {
            Thread.yield();
          }
        }

        public void read(MemorySegment data, long offset) throws Exception {
          linger();
          data.copyFrom(memory.asSlice(offset, data.byteSize()));
        }

        public void write(MemorySegment data, long offset) throws Exception {
          linger();
          memory.asSlice(offset, data.byteSize()).copyFrom(data);
        }
      }
      """
          .replace("SIZE", Long.toString(USERS * USER_BYTES));

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void nothingIsLostWhileItMoves(boolean ownThreads) throws Exception {
    Path source = Files.writeString(folder.resolve("Slow.java"), SLOW_RAM);
    Path report = folder.resolve("totals.txt");
    try (TestGraph test = new TestGraph();
        Arena arena = Arena.ofShared()) {
      test.open(
          "driver=java,node-name=disk,own-threads=%s,source=%s"
              .formatted(ownThreads ? "on" : "off", source));
      String filter =
          "driver=java,node-name=count,file=disk,report=%s,source=../docs/examples/Count.java"
              .formatted(report);
      BlockNode top = test.open(filter);
      List<BusyUser> users = new ArrayList<>();
      for (int i = 0; i < USERS; i++) {
        BusyUser user = new BusyUser("u" + i, i * USER_BYTES, i % 2 == 0, Fault.NONE, i, arena);
        users.add(user);
        test.control(
            () -> {
              user.backend = new BlockBackend(top, user, TestGraph.READ_WRITE, Permission.all());
              user.begin(test.io0.context());
            });
      }
      SplittableRandom random = new SplittableRandom(1);
      for (int i = 0; i < STEPS; i++) {
        step(test, top, filter, random.nextInt(4), i);
        assertNull(violation(users), "step " + i);
      }
      test.control(() -> users.forEach(BusyUser::end));
      assertNull(violation(users));
      users.forEach(user -> assertTrue(user.completed.get() > 20, user.describe()));
      test.control(test.graph::closeAll);
      assertNotEquals("", Files.readString(report));
    }
  }

  private static void step(TestGraph test, BlockNode top, String filter, int kind, int number)
      throws Exception {
    switch (kind) {
      case 0 -> {
        AtomicBoolean still = new AtomicBoolean();
        test.control(
            () -> {
              try (DrainedSection section = DrainedSection.begin(top)) {
                still.set(top.quiesceDepth() > 0);
              }
            });
        assertTrue(still.get());
      }
      case 1 -> test.reopen(filter);
      default ->
          test.control(
              () ->
                  ContextChange.run(
                      top, number % 2 == 0 ? test.io1.context() : test.io0.context()));
    }
  }

  private static String violation(List<BusyUser> users) {
    return users.stream()
        .map(user -> user.violation.get())
        .filter(found -> found != null)
        .findFirst()
        .orElse(null);
  }

  /** A section on what is below waits for what a filter has on its way there, and for that only. */
  @Test
  void aSectionWaitsForWhatADriverHasInHand() throws Exception {
    Path source = Files.writeString(folder.resolve("Slow.java"), SLOW_RAM);
    try (TestGraph test = new TestGraph();
        Arena arena = Arena.ofShared()) {
      BlockNode node = test.open("driver=java,node-name=disk,source=" + source);
      BusyUser user = new BusyUser("u", 0, false, Fault.NONE, 1, arena);
      test.control(
          () -> {
            user.backend = new BlockBackend(node, user, TestGraph.READ_WRITE, Permission.all());
            user.begin(test.io0.context());
          });
      for (int i = 0; i < 50; i++) {
        test.control(
            () -> {
              try (DrainedSection section = DrainedSection.begin(node)) {
                long before = user.completed.get();
                // A loop's turn, in which whatever were still on its way could come back.
                test.io0.context().call(() -> null);
                assertEquals(before, user.completed.get());
              }
            });
      }
      test.control(user::end);
      assertNull(user.violation.get());
      test.control(test.graph::closeAll);
    }
  }
}

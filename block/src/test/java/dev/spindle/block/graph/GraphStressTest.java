// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.IoThread;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Users on two iothreads keep a graph busy while control work drains, isolates, moves and rewires
 * it at random. Each user knows what his blocks must hold; the disk knows when it must be left
 * alone. A seed repeats the control work; the threads race as they like.
 */
class GraphStressTest {
  private static final int USERS = 4;
  private static final long USER_BYTES = (long) BusyUser.BLOCK * BusyUser.BLOCKS;

  /** No step takes a hundredth of this unless it hangs. */
  private static final long HANG_SECONDS = 20;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void nothingIsLostNorLetIntoASection(long seed) throws Exception {
    assertNull(run(seed, 1500, Fault.NONE, HANG_SECONDS));
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void aPlantedFaultIsFound(Fault fault) throws Exception {
    assertNotNull(run(1, 3000, fault, 5), "nobody noticed");
  }

  @Test
  void isQuietInTheEnd() throws Exception {
    try (TestGraph test = new TestGraph();
        Arena arena = Arena.ofShared()) {
      Run run = new Run(test, arena, 7, Fault.NONE);
      test.control(run::begin);
      for (int i = 0; i < 300; i++) {
        test.control(run::act);
      }
      test.control(run::end);
      assertEquals(0, run.disk.inFlight.get());
      test.control(
          () -> {
            for (BlockNode node : test.graph.nodes()) {
              assertEquals(0, node.quiesceDepth(), node.name());
            }
            test.graph.closeAll();
          });
    }
  }

  /** Returns what went wrong, or null. */
  private static String run(long seed, int steps, Fault fault, long hangSeconds) throws Exception {
    // Neither is closed after a fault, for threads may still be at work in both.
    TestGraph test = new TestGraph();
    Arena arena = Arena.ofShared();
    Run run = new Run(test, arena, seed, fault);
    String found = await(run.start(run::begin), hangSeconds);
    for (int i = 0; i <= steps && found == null; i++) {
      found = await(i < steps ? run.start(run::act) : run.start(run::end), hangSeconds);
      found = found == null ? run.violation() : found;
    }
    if (found != null) {
      run.users.forEach(BusyUser::abandon);
      return "seed " + seed + ": " + found + "\nafter\n" + run.log;
    }
    test.close();
    arena.close();
    return null;
  }

  private static String await(CompletableFuture<Void> step, long hangSeconds)
      throws InterruptedException {
    try {
      step.get(hangSeconds, TimeUnit.SECONDS);
      return null;
    } catch (TimeoutException e) {
      return "a step hangs\n" + dump();
    } catch (ExecutionException e) {
      return "a step failed: " + e.getCause();
    }
  }

  private static String dump() {
    StringBuilder text = new StringBuilder();
    for (Map.Entry<Thread, StackTraceElement[]> entry : Thread.getAllStackTraces().entrySet()) {
      text.append(entry.getKey()).append('\n');
      for (StackTraceElement frame : entry.getValue()) {
        text.append("    ").append(frame).append('\n');
      }
    }
    return text.toString();
  }

  private static final class Run {
    final TestGraph test;
    final RamNode disk;
    final List<BusyUser> users = new ArrayList<>();
    final List<BlockNode> filters = new ArrayList<>();
    final SplittableRandom random;
    final StringBuilder log = new StringBuilder();
    private int names;

    Run(TestGraph test, Arena arena, long seed, Fault fault) throws Exception {
      this.test = test;
      this.random = new SplittableRandom(seed);
      this.disk =
          test.graph.add(
              new RamNode("disk", test.mainLoop.context(), arena, USERS * USER_BYTES, fault));
      for (int i = 0; i < USERS; i++) {
        BusyUser user = new BusyUser("u" + i, i * USER_BYTES, i % 2 == 0, fault, seed + i, arena);
        users.add(user);
        test.control(
            () ->
                user.backend =
                    new BlockBackend(disk, user, TestGraph.READ_WRITE, Permission.all()));
      }
    }

    String violation() {
      String found = disk.violation.get();
      for (BusyUser user : users) {
        found = found == null ? user.violation.get() : found;
      }
      return found;
    }

    CompletableFuture<Void> start(TestGraph.Work step) {
      return test.mainLoop.start(
          "step",
          () -> {
            step.run();
            return null;
          });
    }

    private void act() throws Exception {
      switch (random.nextInt(8)) {
        case 0, 1 -> drain();
        case 2 -> drainBackend();
        case 3 -> isolate();
        case 4 -> move();
        case 5 -> insert();
        case 6 -> remove();
        default -> nestedDrain();
      }
    }

    private BlockNode anyNode() {
      int index = random.nextInt(filters.size() + 1);
      return index == filters.size() ? disk : filters.get(index);
    }

    private BusyUser anyUser() {
      return users.get(random.nextInt(users.size()));
    }

    private void note(String step) {
      log.append(step).append('\n');
    }

    /** The disk is below everything, so a section on it is a section for every user. */
    private void drain() {
      note("drain disk");
      try (DrainedSection section = DrainedSection.begin(disk)) {
        lookWhileStill();
      }
    }

    private void nestedDrain() {
      BlockNode outerNode = anyNode();
      note("drain " + outerNode.name() + " and within it disk");
      DrainedSection outer = DrainedSection.begin(outerNode);
      DrainedSection inner = DrainedSection.begin(disk);
      outer.close();
      lookWhileStill();
      inner.close();
    }

    private void lookWhileStill() {
      disk.still = true;
      int inFlight = disk.inFlight.get();
      if (inFlight != 0) {
        disk.violation.compareAndSet(null, inFlight + " requests are in flight inside a section");
      }
      for (IoThread thread : List.of(test.io0, test.io1)) {
        // Whatever they were about to send, they have sent by then.
        thread.context().call(() -> null);
        thread.context().call(() -> null);
      }
      disk.still = false;
    }

    private void drainBackend() {
      BusyUser user = anyUser();
      note("drain " + user.describe());
      user.backend.drain();
    }

    private void isolate() {
      BusyUser user = anyUser();
      note("isolate " + user.describe());
      try (IsolatedSection section = user.backend.isolate()) {
        user.backend.drain();
      }
    }

    private void move() throws BlockException {
      IoThread target = random.nextBoolean() ? test.io0 : test.io1;
      note("move to " + target.id());
      ContextChange.run(anyNode(), target.context());
    }

    private void insert() throws BlockException {
      if (filters.size() == 4) {
        return;
      }
      BlockNode below = anyNode();
      TestNode filter = test.graph.add(new TestNode("f" + names++, below.context()));
      note("insert " + filter.name() + " above " + below.name());
      filter.over(below, "file", ChildRole.FILTER);
      test.graph.insertFilter(filter, below);
      filters.add(filter);
    }

    private void remove() throws BlockException {
      if (filters.isEmpty()) {
        return;
      }
      BlockNode filter = filters.remove(random.nextInt(filters.size()));
      note("remove " + filter.name());
      test.graph.removeFilter(filter);
    }

    private void begin() {
      for (int i = 0; i < USERS; i++) {
        users.get(i).begin((i < 2 ? test.io0 : test.io1).context());
      }
    }

    private void end() {
      for (BusyUser user : users) {
        user.end();
        assertTrue(user.completed.get() > 0, user.describe() + " has done nothing");
      }
    }
  }
}

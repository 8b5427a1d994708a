// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.job.JobWorld;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
    assertNull(run(seed, 600, Fault.NONE, HANG_SECONDS));
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void aPlantedFaultIsFound(Fault fault) throws Exception {
    assertNotNull(run(1, 3000, fault, 5), "nobody noticed");
  }

  @Test
  void isQuietInTheEnd() throws Exception {
    try (JobWorld world = new JobWorld();
        Arena arena = Arena.ofShared()) {
      TestGraph test = world.test;
      Run run = new Run(world, arena, 7, Fault.NONE);
      test.control(run::begin);
      for (int i = 0; i < 300; i++) {
        test.control(run::act);
        run.copies.settle();
      }
      test.control(run::end);
      assertNull(run.violation());
      assertEquals(0, run.copies.disk().inFlight.get());
      assertEquals(0, run.copies.spare().inFlight.get());
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
    JobWorld world = new JobWorld();
    Arena arena = Arena.ofShared();
    Run run = new Run(world, arena, seed, fault);
    String found = await(run, run.start(run::begin), hangSeconds);
    for (int i = 0; i <= steps && found == null; i++) {
      found = await(run, i < steps ? run.start(run::act) : run.start(run::end), hangSeconds);
      found = found == null ? await(run, run.settle(), hangSeconds) : found;
      found = found == null ? run.violation() : found;
    }
    if (found != null) {
      run.users.forEach(BusyUser::abandon);
      return "seed " + seed + ": " + found + "\nafter\n" + run.log;
    }
    world.close();
    arena.close();
    return null;
  }

  private static String await(Run run, CompletableFuture<Void> step, long hangSeconds)
      throws InterruptedException {
    try {
      step.get(hangSeconds, TimeUnit.SECONDS);
      return null;
    } catch (TimeoutException e) {
      return "a step hangs\n" + dump() + run.picture();
    } catch (ExecutionException e) {
      return "a step failed: " + e.getCause();
    }
  }

  /** What every thread is at, virtual ones included. */
  private static String dump() {
    try {
      Path file = Path.of("target", "stress-" + System.nanoTime() + ".txt").toAbsolutePath();
      Process jcmd =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                  Long.toString(ProcessHandle.current().pid()),
                  "Thread.dump_to_file",
                  file.toString())
              .redirectErrorStream(true)
              .start();
      String said = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!Files.exists(file)) {
        return said;
      }
      String threads = Files.readString(file);
      Files.delete(file);
      return threads;
    } catch (IOException e) {
      return "no dump: " + e;
    }
  }

  private static final class Run {
    final JobWorld world;
    final TestGraph test;
    final Fault fault;
    final StressCopies copies;
    final List<BusyUser> users = new ArrayList<>();
    final List<BlockNode> filters = new ArrayList<>();
    final SplittableRandom random;
    final StringBuilder log = new StringBuilder();
    private final ThrottleGroup group;
    private StressBitmap bitmap;
    private int names;

    Run(JobWorld world, Arena arena, long seed, Fault fault) throws Exception {
      this.world = world;
      this.test = world.test;
      this.fault = fault;
      this.random = new SplittableRandom(seed);
      this.group = test.graph.throttleGroups().add("group", limits());
      RamNode disk = ram("disk", arena);
      this.copies = new StressCopies(world, random, users, disk, ram("spare", arena));
      for (int i = 0; i < USERS; i++) {
        BusyUser user = new BusyUser("u" + i, i * USER_BYTES, i % 2 == 0, fault, seed + i, arena);
        users.add(user);
        test.control(
            () ->
                user.backend =
                    new BlockBackend(disk, user, TestGraph.READ_WRITE, Permission.all()));
      }
    }

    private RamNode ram(String name, Arena arena) {
      return test.graph.add(
          new RamNode(name, test.mainLoop.context(), arena, USERS * USER_BYTES, fault));
    }

    private RamNode disk() {
      return copies.disk();
    }

    /** The graph as it seems to be; nobody holds it still. */
    String picture() {
      StringBuilder picture = new StringBuilder();
      for (BlockNode node : test.graph.nodes()) {
        picture.append(
            "node %s on %s, %d sections, %s%n"
                .formatted(
                    node.name(),
                    node.context().name(),
                    node.quiesceDepth(),
                    node.parents().stream().map(edge -> edge.parent().describe()).toList()));
      }
      for (BusyUser user : users) {
        picture.append(
            "%s, quiesced %s, %d requests done%n"
                .formatted(user.describe(), user.backend.isQuiesced(), user.completed.get()));
      }
      return picture.toString();
    }

    String violation() {
      String found = copies.disk().violation.get();
      found = found == null ? copies.spare().violation.get() : found;
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

    /** Waits for a job, if the last step was about one. Any thread; does not wait itself. */
    CompletableFuture<Void> settle() {
      return CompletableFuture.supplyAsync(
          () -> {
            try {
              return copies.settle();
            } catch (Exception e) {
              throw new IllegalStateException(e);
            }
          });
    }

    private void act() throws Exception {
      passBy();
      switch (random.nextInt(14)) {
        case 0, 1 -> drain();
        case 2 -> drainBackend();
        case 3 -> isolate();
        case 4, 5 -> move();
        case 6 -> insert();
        case 7 -> remove();
        case 8 -> limit();
        case 9 -> reopen();
        case 10 -> bitmap();
        case 11, 12 -> note(copies.advance());
        default -> nestedDrain();
      }
    }

    /** Has users write past those who should see it, if that is what is broken. */
    private void passBy() {
      boolean now =
          switch (fault) {
            case PASSES_A_MIRROR_BY -> copies.isMirror();
            case PASSES_A_BACKUP_BY -> copies.isUnsavedBackup();
            case PASSES_A_BITMAP_BY -> bitmap != null && bitmap.disk() == disk();
            default -> false;
          };
      if (now) {
        users.forEach(user -> user.scribble(disk()));
      }
    }

    private ThrottleLimits limits() throws Exception {
      return switch (random.nextInt(3)) {
        case 0 -> ThrottleLimits.NONE;
        case 1 -> Throttles.limits("iops-total=" + random.nextInt(4000, 20000));
        default -> Throttles.limits("bps-write=" + random.nextInt(2_000_000, 10_000_000));
      };
    }

    private void limit() throws Exception {
      if (random.nextBoolean()) {
        ThrottleLimits limits = limits();
        note("limit the group to " + limits);
        group.configure(limits, System.nanoTime());
        return;
      }
      BusyUser user = anyUser();
      boolean joins = user.backend.throttleGroup() == null;
      note(user.describe() + (joins ? " joins the group" : " leaves the group"));
      user.limit(joins ? group : null);
    }

    /** One filter or two, and now and then one of them refuses. */
    private void reopen() throws Exception {
      List<TestNode> reopened = new ArrayList<>();
      for (BlockNode filter : filters) {
        if (filter instanceof TestNode node && reopened.size() < 2) {
          reopened.add(node);
        }
      }
      if (reopened.isEmpty()) {
        return;
      }
      boolean refused = random.nextInt(3) == 0;
      String label = "label" + names++;
      TestNode last = reopened.getLast();
      String before = last.label;
      note("reopen " + last.name() + (refused ? ", which refuses" : ""));
      last.refusesReopen = refused ? "no" : null;
      List<Options> options = new ArrayList<>();
      for (TestNode node : reopened) {
        BlockNode file = node.children().getFirst().node();
        if (fault == Fault.REOPENS_ON_ANOTHER_DISK && !copies.underWay()) {
          file = copies.spare();
        }
        options.add(
            Disk.options(
                "driver=test,node-name=%s,label=%s,file=%s"
                    .formatted(node.name(), label, file.name())));
      }
      try {
        test.graph.reopen(options);
      } catch (BlockException e) {
        if (!refused) {
          throw e;
        }
      }
      last.refusesReopen = null;
      String expected = refused ? before : label;
      if (!last.label.equals(expected)) {
        disk().violation.compareAndSet(null, last.label + " instead of " + expected);
      }
    }

    private void bitmap() throws BlockException {
      if (bitmap == null) {
        note("add a bitmap to " + disk().name());
        bitmap = new StressBitmap(disk());
      } else {
        note("remove the bitmap of " + bitmap.disk().name());
        bitmap.remove();
        bitmap = null;
      }
    }

    private BlockNode anyNode() {
      int index = random.nextInt(filters.size() + 1);
      return index == filters.size() ? disk() : filters.get(index);
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
      try (DrainedSection section = DrainedSection.begin(disk())) {
        lookWhileStill();
      }
    }

    private void nestedDrain() {
      BlockNode outerNode = anyNode();
      note("drain " + outerNode.name() + " and within it disk");
      DrainedSection outer = DrainedSection.begin(outerNode);
      DrainedSection inner = DrainedSection.begin(disk());
      outer.close();
      lookWhileStill();
      inner.close();
    }

    private void lookWhileStill() {
      RamNode disk = disk();
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

    private void insert() throws Exception {
      if (filters.size() == 4) {
        return;
      }
      BlockNode below = anyNode();
      if (below == disk() && copies.underWay()) {
        // The job relies on the links that would change.
        return;
      }
      String name = "f" + names++;
      note("insert " + name + " above " + below.name());
      BlockNode filter = random.nextInt(3) == 0 ? throttle(name, below) : plain(name, below);
      test.graph.insertFilter(filter, below);
      filters.add(filter);
    }

    private BlockNode throttle(String name, BlockNode below) throws Exception {
      return test.graph.open(
          Disk.options(
              "driver=throttle,throttle-group=group,node-name=%s,file=%s"
                  .formatted(name, below.name())));
    }

    private TestNode plain(String name, BlockNode below) throws BlockException {
      TestNode filter = test.graph.add(new TestNode(name, below.context()));
      filter.over(below, "file", ChildRole.FILTER);
      return filter;
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

    private void end() throws BlockException {
      world.jobs.cancelAll();
      if (bitmap != null) {
        bitmap.remove();
      }
      for (BusyUser user : users) {
        user.end();
        assertTrue(user.completed.get() > 0, user.describe() + " has done nothing");
      }
      while (!filters.isEmpty()) {
        remove();
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.kotlinx.lincheck.Actor;
import org.jetbrains.kotlinx.lincheck.execution.ExecutionScenario;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Has Lincheck switch threads between the accesses to memory of those who add tasks and of the loop
 * that takes them, sleeps and ends, in very many ways: tasks stay in order, none is left with
 * nobody to wake the loop for it, and each is refused or taken.
 */
@Tag("interleavings")
@Param(name = "task", gen = IntGen.class, conf = "1:9")
public final class RunQueueInterleavingsTest {
  private static final int INVOCATIONS = 400;

  /** Wake-ups that the loop has not seen yet. */
  private final AtomicInteger wakeUps = new AtomicInteger();

  private final RunQueue queue = new RunQueue(() -> false, wakeUps::incrementAndGet);

  /** The loop's own. */
  private boolean sleeping;

  private record Task(int number) implements Runnable {
    @Override
    public void run() {}
  }

  /** Any thread. */
  @Operation
  public boolean add(int task) {
    return queue.add(new Task(task));
  }

  /** One thread at a time, as the next ones. */
  @Operation(nonParallelGroup = "owner")
  public int take() {
    return queue.poll() instanceof Task task ? task.number() : 0;
  }

  /** Goes to sleep if that is allowed. */
  @Operation(nonParallelGroup = "owner")
  public void sleep() {
    sleeping = queue.beginSleep();
    if (!sleeping) {
      queue.endSleep();
    }
  }

  /** As a loop must not: what comes after its look, and before it says so, wakes nobody. */
  @Operation(nonParallelGroup = "owner")
  public void sleepHavingLooked() {
    sleeping = queue.isEmpty();
    queue.beginSleep();
  }

  /** Something else than a task has woken the loop, which then sees all that has. */
  @Operation(nonParallelGroup = "owner")
  public void wake() {
    queue.endSleep();
    wakeUps.set(0);
    sleeping = false;
  }

  /** Whether tasks wait for a loop that nobody wakes. */
  @Operation(nonParallelGroup = "owner")
  public boolean isStuck() {
    return sleeping && !queue.isEmpty() && wakeUps.get() == 0;
  }

  /** Takes no more tasks, and the last ones: their numbers, as digits. */
  @Operation(nonParallelGroup = "owner")
  public int end() {
    queue.end();
    int taken = 0;
    for (int task = take(); task != 0; task = take()) {
      taken = 10 * taken + task;
    }
    return taken;
  }

  /** One after another. */
  public static final class Sequential {
    private final Queue<Integer> tasks = new ArrayDeque<>();
    private boolean ended;

    /** See the operation of that name. */
    public boolean add(int task) {
      return !ended && tasks.add(task);
    }

    /** See the operation of that name. */
    public int take() {
      Integer task = tasks.poll();
      return task == null ? 0 : task;
    }

    /** See the operation of that name. */
    public void sleep() {}

    /** See the operation of that name. */
    public void sleepHavingLooked() {}

    /** See the operation of that name. */
    public void wake() {}

    /** See the operation of that name. */
    public boolean isStuck() {
      return false;
    }

    /** See the operation of that name. */
    public int end() {
      ended = true;
      int taken = 0;
      for (int task = take(); task != 0; task = take()) {
        taken = 10 * taken + task;
      }
      return taken;
    }
  }

  @Test
  void tasksStayInOrder() throws Exception {
    check(
        List.of(),
        List.of(List.of(adding(1), adding(2)), List.of(taking())),
        List.of(taking(), taking()));
  }

  @Test
  void theLoopGoesToSleepWhileATaskComes() throws Exception {
    check(List.of(), List.of(List.of(adding(1)), List.of(call("sleep"))), List.of(call("isStuck")));
  }

  /** What the others would miss is found. */
  @Test
  void aLoopThatLooksTooEarlyIsFound() {
    AssertionError found =
        assertThrows(
            AssertionError.class,
            () ->
                check(
                    List.of(),
                    List.of(List.of(adding(1)), List.of(call("sleepHavingLooked"))),
                    List.of(call("isStuck"))));
    assertTrue(found.getMessage().contains("Invalid execution results"), found::getMessage);
  }

  @Test
  void theLoopSleepsAgainWhileTasksCome() throws Exception {
    check(
        List.of(call("sleep")),
        List.of(
            List.of(adding(1)),
            List.of(adding(2)),
            List.of(call("wake"), taking(), taking(), call("sleep"))),
        List.of(call("isStuck")));
  }

  @Test
  void theLoopEndsWhileATaskComes() throws Exception {
    check(List.of(adding(1)), List.of(List.of(adding(2)), List.of(call("end"))), List.of(taking()));
  }

  private static void check(List<Actor> before, List<List<Actor>> together, List<Actor> after)
      throws Exception {
    new ModelCheckingOptions()
        .addCustomScenario(new ExecutionScenario(before, together, after, null))
        .iterations(0)
        .invocationsPerIteration(INVOCATIONS)
        .sequentialSpecification(Sequential.class)
        .check(RunQueueInterleavingsTest.class);
  }

  private static Actor adding(Integer task) throws Exception {
    return new Actor(RunQueueInterleavingsTest.class.getMethod("add", int.class), List.of(task));
  }

  private static Actor taking() throws Exception {
    return call("take");
  }

  private static Actor call(String name) throws Exception {
    return new Actor(RunQueueInterleavingsTest.class.getMethod(name), List.of());
  }
}

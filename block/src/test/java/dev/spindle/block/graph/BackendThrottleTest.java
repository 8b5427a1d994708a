// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static dev.spindle.block.graph.Throttles.configure;
import static dev.spindle.block.graph.Throttles.endless;
import static dev.spindle.block.graph.Throttles.read;
import static dev.spindle.block.graph.Throttles.settle;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A backend whose own requests are throttled, in and out of sections. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BackendThrottleTest extends GraphFixture {
  private TestNode file;
  private BlockBackend backend;
  private BackendLane lane;
  private ThrottleGroup group;

  /** Names of requests in the order in which they ended; the disk ends them as they come. */
  private final List<String> ended = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void start() throws Exception {
    file = test.node("file");
    backend = test.use(file, new User("u"));
    lane = test.lane(backend, test.io0);
    group = Throttles.group("g", endless());
    test.control(() -> backend.setThrottle(group));
    // The bucket is full from now on.
    assertEquals(0, read(lane).result.join());
  }

  private TestRequest send(String name) {
    TestRequest request = Throttles.large(Operation.READ);
    request.result.thenRun(() -> ended.add(name));
    return TestGraph.send(lane, request);
  }

  /** Sends flushes, which no group limits, until one is held back because the gate is closed. */
  private TestRequest flushUntilHeld() {
    while (true) {
      int before = file.submitted.get();
      TestRequest flush = TestGraph.send(lane);
      if (file.submitted.get() == before) {
        flush.result.thenRun(() -> ended.add("flush"));
        return flush;
      }
    }
  }

  /** Returns after a drain whose gate is closed has ended, if it is to end by itself. */
  private void settleDrain() {
    for (int turn = 0; turn < 3; turn++) {
      test.mainLoop.context().call(() -> null);
      settle(test.io0);
    }
    test.mainLoop.context().call(() -> null);
  }

  /** Whoever joins a request may go on before its end has been noted. */
  private List<String> ended() {
    settle(test.io0);
    settle(test.io1);
    return List.copyOf(ended);
  }

  private int inFlight() {
    return test.io0.context().call(lane::inFlight);
  }

  @Test
  void whatWaitsForTheGroupIsNotInFlight() {
    TestRequest waiting = send("a");
    settle(test.io0);
    assertFalse(waiting.result.isDone());
    assertEquals(0, inFlight());
    assertEquals(1, file.submitted.get());
    assertEquals(0, TestGraph.send(lane).result.join(), "a flush is not limited");
    configure(group, ThrottleLimits.NONE);
    assertEquals(0, waiting.result.join());
  }

  @Test
  void drainWaitsForThrottledRequestsAtTheirRateAndHoldsWhatArrives() throws Exception {
    TestRequest first = send("a");
    TestRequest second = send("b");
    CompletableFuture<Void> drain =
        test.mainLoop.start(
            "drain",
            () -> {
              backend.drain();
              return null;
            });
    TestRequest flush = flushUntilHeld();
    TestRequest late = send("late");
    settleDrain();
    // The drain alone lets nothing go: throttling is not switched off.
    assertFalse(drain.isDone());
    assertFalse(first.result.isDone());
    configure(group, Throttles.limits("iops-total=100"));
    drain.join();
    assertTrue(first.result.isDone() && second.result.isDone(), "drain returned early");
    flush.result.join();
    late.result.join();
    assertEquals(List.of("a", "b", "flush", "late"), ended());
    assertEquals(Throttles.limits("iops-total=100"), group.limits());
  }

  @Test
  void drainAlsoWaitsForWhatIsInFlight() throws Exception {
    configure(group, ThrottleLimits.NONE);
    file.keeps = true;
    TestRequest sent = send("a");
    CompletableFuture<Boolean> drain =
        test.mainLoop.start(
            "drain",
            () -> {
              backend.drain();
              return sent.result.isDone();
            });
    TestRequest flush = flushUntilHeld();
    settleDrain();
    assertFalse(drain.isDone());
    file.keeps = false;
    file.kept.forEach(kept -> kept.complete(0));
    assertTrue(drain.join());
    assertEquals(0, flush.result.join());
  }

  @Test
  void aQuiescedBackendLetsNoThrottledRequestGo() throws Exception {
    TestRequest throttled = send("throttled");
    test.control(backend::quiesceBegin);
    TestRequest held = send("held");
    int before = file.submitted.get();
    configure(group, ThrottleLimits.NONE);
    settle(test.io0);
    assertEquals(before, file.submitted.get());
    assertFalse(throttled.result.isDone());
    test.control(backend::quiesceEnd);
    TestRequest late = send("late");
    held.result.join();
    late.result.join();
    assertEquals(List.of("throttled", "held", "late"), ended());
  }

  @Test
  void anIsolatedSectionLeavesThrottledRequestsWhereTheyAre() throws Exception {
    BlockBackend owner = test.use(file, new User("owner"));
    BackendLane ownerLane = test.lane(owner, test.io1);
    TestRequest throttled = send("throttled");
    IsolatedSection section = test.get(owner::isolate);
    configure(group, ThrottleLimits.NONE);
    assertEquals(0, read(ownerLane).result.join());
    TestRequest held = send("held");
    settle(test.io0);
    assertFalse(throttled.result.isDone());
    test.control(section::close);
    held.result.join();
    assertEquals(List.of("throttled", "held"), ended());
  }

  @Test
  void aDrainedSectionOfTheNodeDoesNotWaitForThemEither() throws Exception {
    TestRequest throttled = send("throttled");
    DrainedSection section = test.get(() -> DrainedSection.begin(file));
    TestRequest held = send("held");
    configure(group, ThrottleLimits.NONE);
    settle(test.io0);
    assertFalse(throttled.result.isDone());
    // Neither does a drain within the section, which would else wait for its end.
    test.control(backend::drain);
    assertFalse(throttled.result.isDone());
    test.control(section::close);
    held.result.join();
    assertEquals(List.of("throttled", "held"), ended());
  }

  @Test
  void theLimitsCountAgainAfterASection() throws Exception {
    TestRequest throttled = send("throttled");
    test.control(
        () -> {
          backend.quiesceBegin();
          backend.quiesceEnd();
          backend.quiesceBegin();
          backend.quiesceEnd();
        });
    TestRequest late = send("late");
    settle(test.io0);
    assertFalse(throttled.result.isDone());
    configure(group, ThrottleLimits.NONE);
    late.result.join();
    assertEquals(List.of("throttled", "late"), ended());
  }

  @Test
  void aMovedLaneTakesThrottledRequestsAlong() throws Exception {
    TestRequest throttled = send("throttled");
    List<Boolean> onNewContext = Collections.synchronizedList(new ArrayList<>());
    throttled.result.thenRun(() -> onNewContext.add(test.io1.context().isOwner()));
    BackendLane next = test.lane(backend, test.io1);
    test.control(
        () -> {
          backend.quiesceBegin();
          send("held");
          next.adopt(lane);
          backend.quiesceEnd();
        });
    settle(test.io1);
    assertFalse(throttled.result.isDone(), "moving let it off");
    lane = next;
    TestRequest late = send("late");
    configure(group, ThrottleLimits.NONE);
    late.result.join();
    assertEquals(List.of("throttled", "held", "late"), ended());
    assertEquals(List.of(true), onNewContext);
  }

  @Test
  void whatIsDiscardedNeverGoes() throws Exception {
    TestRequest throttled = send("throttled");
    test.control(backend::quiesceBegin);
    TestRequest held = send("held");
    int before = file.submitted.get();
    test.closeLane(discarded(lane));
    test.control(backend::quiesceEnd);
    configure(group, ThrottleLimits.NONE);
    settle(test.io0);
    assertEquals(before, file.submitted.get());
    assertFalse(throttled.result.isDone() || held.result.isDone());
    // The group has forgotten them: whoever comes next waits for nobody.
    configure(group, endless());
    lane = test.lane(backend, test.io0);
    send("next").result.join();
    test.control(() -> backend.setThrottle(null));
    assertTrue(group.isEmpty());
  }

  private static BackendLane discarded(BackendLane lane) {
    lane.context()
        .call(
            () -> {
              lane.discardWaiting();
              return null;
            });
    return lane;
  }

  @Test
  void anotherGroupTakesOverWhatWaits() throws Exception {
    TestRequest throttled = send("throttled");
    ThrottleGroup other = Throttles.group("h", endless());
    test.control(() -> backend.setThrottle(other));
    assertTrue(group.isEmpty());
    assertSame(other, test.get(backend::throttleGroup));
    // The first one finds room in the new group.
    throttled.result.join();
    TestRequest second = send("second");
    test.control(backend::quiesceBegin);
    send("held");
    test.control(() -> backend.setThrottle(null));
    settle(test.io0);
    assertFalse(second.result.isDone(), "leaving the group let go in a section");
    assertTrue(other.isEmpty());
    assertNull(test.get(backend::throttleGroup));
    test.control(() -> backend.setThrottle(group));
    configure(group, ThrottleLimits.NONE);
    settle(test.io0);
    assertFalse(second.result.isDone(), "joining a group let go in a section");
    test.control(backend::quiesceEnd);
    send("late").result.join();
    assertEquals(List.of("throttled", "second", "held", "late"), ended());
  }

  @Test
  void aRequestThatWillBeRefusedCostsTheGroupNothing() throws Exception {
    ThrottleGroup fresh = Throttles.group("fresh", endless());
    test.control(() -> backend.setThrottle(fresh));
    TestRequest beyond =
        TestGraph.send(lane, TestRequest.range(Operation.READ, 512, Long.MAX_VALUE));
    assertEquals(-Errno.EIO, beyond.result.join());
    assertEquals(0, send("a").result.join());
  }
}

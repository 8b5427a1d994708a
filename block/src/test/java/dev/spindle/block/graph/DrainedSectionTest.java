// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.TestGraph.User;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DrainedSectionTest extends GraphFixture {
  private static final List<String> ONE_SECTION = List.of("begin", "still", "end");

  @Test
  void nestedSectionsCallEverybodyOnce() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    User user = new User("u");
    test.use(format, user);
    clear(user, file, format);
    test.control(
        () -> {
          DrainedSection outer = DrainedSection.begin(format);
          DrainedSection inner = DrainedSection.begin(format);
          assertEquals(2, format.quiesceDepth());
          outer.close();
          assertEquals(List.of("begin", "stopped"), user.events);
          assertEquals(List.of("begin", "still"), file.events);
          inner.close();
          assertEquals(0, format.quiesceDepth());
          assertThrows(IllegalStateException.class, inner::close);
        });
    assertEquals(List.of("begin", "stopped", "end"), user.events);
    assertEquals(ONE_SECTION, format.events);
    assertEquals(ONE_SECTION, file.events);
  }

  /** Drivers are told once, by control work, wherever the section is asked for. */
  @ParameterizedTest
  @CsvSource({"false,false", "false,true", "true,false", "true,true"})
  void driversAreToldByControlWorkOnly(boolean all, boolean fromAnIothread) throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    TestNode other = test.node("other");
    List<TestNode> nodes = List.of(file, format, other);
    test.control(() -> ContextChange.run(format, test.io1.context()));
    for (TestNode node : nodes) {
      node.events.clear();
      node.onCallback = callback -> test.mainLoop.assertControl();
    }
    TestGraph.Work section =
        () -> {
          DrainedSection begun =
              test.get(() -> all ? test.graph.quiesceAll() : DrainedSection.begin(format));
          test.control(begun::close);
        };
    if (fromAnIothread) {
      CompletableFuture<Throwable> end = new CompletableFuture<>();
      test.io0
          .context()
          .startVirtual(
              "asks",
              () -> {
                try {
                  section.run();
                  end.complete(null);
                } catch (Throwable e) {
                  end.complete(e);
                }
              });
      assertNull(end.join());
    } else {
      test.control(section);
    }
    assertEquals(ONE_SECTION, file.events);
    assertEquals(ONE_SECTION, format.events);
    assertEquals(all ? ONE_SECTION : List.of(), other.events);
  }

  /** What stands above is told to stop; another user of what is below is none of our business. */
  @Test
  void reachesAllAboveAndLeavesOthersBelowAlone() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.FILTER);
    TestNode filter = test.filter("filter", format);
    User above = new User("above");
    User beside = new User("beside");
    test.use(filter, above);
    test.use(file, beside);
    clear(above, file, format, filter);
    beside.events.clear();
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(format)) {
            assertEquals(List.of("begin", "stopped"), above.events);
            assertEquals(List.of("begin", "still"), filter.events);
            assertEquals(List.of("begin", "still"), file.events);
            assertEquals(0, file.quiesceDepth());
          }
        });
    assertEquals(List.of(), beside.events);
    assertEquals(ONE_SECTION, filter.events);
  }

  @Test
  void aDiamondIsToldOnce() throws Exception {
    TestNode file = test.node("file");
    TestNode left = test.filter("left", file);
    TestNode right = test.filter("right", file);
    TestNode top = test.node("top");
    test.control(
        () -> {
          top.over(left, "left", Set.of(ChildRole.DATA));
          top.over(right, "right", Set.of(ChildRole.DATA));
        });
    User user = new User("u");
    test.use(top, user);
    clear(user, file, left, right, top);
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(file)) {
            assertEquals(2, top.quiesceDepth());
          }
          assertEquals(0, top.quiesceDepth());
        });
    assertEquals(List.of("begin", "stopped", "end"), user.events);
    assertEquals(ONE_SECTION, top.events);
  }

  @Test
  void waitsForWhatIsInFlightOnAnIothread() throws Exception {
    TestNode file = test.node("file");
    TestNode filter = test.filter("filter", file);
    BackendLane lane = test.lane(test.use(filter, new User("u")), test.io0);
    file.keeps = true;
    file.events.clear();
    TestRequest sent = TestGraph.send(lane);
    CompletableFuture<DrainedSection> begun =
        test.mainLoop.start("begin", () -> DrainedSection.begin(file));
    // The node is waited for after every backend has closed its gates.
    while (!file.events.contains("still")) {
      Thread.onSpinWait();
    }
    TestRequest late = TestGraph.send(lane);
    assertFalse(begun.isDone());
    file.kept.remove().complete(0);
    DrainedSection section = begun.join();
    assertTrue(sent.result.isDone());
    file.keeps = false;
    assertFalse(test.io0.context().call(() -> late.result.isDone() && lane.inFlight() == 0));
    test.control(section::close);
    assertEquals(0, late.result.join());
  }

  /** A request that completes at once makes its user send more: those come after the waiting. */
  @Test
  void whatArrivesWhileTheWaitingGoStaysBehindThem() throws Exception {
    TestNode file = test.node("file");
    BackendLane lane = test.lane(test.use(file, new User("u")), test.io0);
    List<Integer> order = new ArrayList<>();
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(file)) {
            for (int i = 0; i < 3; i++) {
              int number = i;
              TestRequest waiting = TestGraph.send(lane);
              waiting.result.thenRun(
                  () -> {
                    order.add(number);
                    if (number == 0) {
                      TestRequest next = TestRequest.range(BlockRequest.Operation.FLUSH, 0, 0);
                      next.result.thenRun(() -> order.add(99));
                      lane.submit(next);
                    }
                  });
            }
          }
        });
    assertEquals(List.of(0, 1, 2, 99), test.io0.context().call(() -> List.copyOf(order)));
  }

  /** The next section begins before the waiting have all gone: none of them is let into it. */
  @Test
  void aSectionFollowingAtOnceAdmitsNobody() throws Exception {
    TestNode file = test.node("file");
    BackendLane lane = test.lane(test.use(file, new User("u")), test.io0);
    for (int round = 0; round < 500; round++) {
      List<TestRequest> waiting = new ArrayList<>();
      test.control(
          () -> {
            DrainedSection first = DrainedSection.begin(file);
            for (int i = 0; i < 4; i++) {
              waiting.add(TestGraph.send(lane));
            }
            file.keeps = true;
            first.close();
            CompletableFuture<Void> freed = freeAll(file, waiting.size());
            DrainedSection second = DrainedSection.begin(file);
            int seen = file.submitted.get();
            freed.join();
            assertEquals(0, test.io0.context().call(lane::inFlight));
            assertEquals(seen, file.submitted.get());
            file.keeps = false;
            second.close();
          });
      waiting.forEach(request -> assertEquals(0, request.result.join()));
    }
  }

  /** Completes as many requests as come, on a thread of its own. */
  private static CompletableFuture<Void> freeAll(TestNode node, int count) {
    return CompletableFuture.runAsync(
        () -> {
          int freed = 0;
          while (freed < count) {
            TestNode.Kept kept = node.kept.poll();
            if (kept == null) {
              Thread.onSpinWait();
            } else {
              kept.complete(0);
              freed++;
            }
          }
        },
        task -> Thread.ofPlatform().daemon().start(task));
  }

  @Test
  void aUserWhoComesDuringASectionSendsNothing() throws Exception {
    TestNode file = test.node("file");
    User late = new User("late");
    TestRequest[] request = new TestRequest[1];
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(file)) {
            BlockBackend backend = new BlockBackend(file, late, TestGraph.READ, Permission.all());
            assertEquals(List.of("begin"), late.events);
            request[0] = TestGraph.send(test.lane(backend, test.io0));
            assertEquals(0, file.submitted.get());
          }
        });
    assertEquals(0, request[0].result.join());
    assertEquals(1, file.submitted.get());
  }

  @Test
  void aNodeThatStandsStillMayGetAParentAndLoseIt() throws Exception {
    TestNode file = test.node("file");
    TestNode filter = test.node("filter");
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(file)) {
            BlockEdge edge = filter.over(file, "file", ChildRole.FILTER);
            assertEquals(1, filter.quiesceDepth());
            GraphChange away = new GraphChange();
            away.detach(edge);
            away.run();
            assertEquals(0, filter.quiesceDepth());
          }
          assertEquals(0, file.quiesceDepth());
        });
  }

  @Test
  void anIsolatedBackendHasItsNodeToItselfWithoutWaiting() throws Exception {
    TestNode file = test.node("file");
    TestNode filter = test.filter("filter", file);
    User own = new User("own");
    User other = new User("other");
    BlockBackend owner = test.use(file, own);
    BackendLane ownLane = test.lane(owner, test.io0);
    BackendLane otherLane = test.lane(test.use(filter, other), test.io1);
    own.events.clear();
    other.events.clear();
    file.keeps = true;
    TestRequest earlier = TestGraph.send(otherLane);
    IsolatedSection section = test.get(owner::isolate);
    // It did not wait for what the other had sent.
    assertFalse(earlier.result.isDone());
    file.keeps = false;
    TestRequest held = TestGraph.send(otherLane);
    assertEquals(0, TestGraph.send(ownLane).result.join());
    assertFalse(held.result.isDone());
    assertEquals(List.of(), own.events);
    assertEquals(List.of("begin", "stopped"), other.events);
    file.kept.remove().complete(0);
    assertEquals(0, earlier.result.join());
    test.control(section::close);
    assertEquals(0, held.result.join());
    assertEquals(List.of("begin", "stopped", "end"), other.events);
  }

  @Test
  void aDrainedSectionWithinAnIsolatedOneStillWaits() throws Exception {
    TestNode file = test.node("file");
    BlockBackend owner = test.use(file, new User("own"));
    BackendLane otherLane = test.lane(test.use(file, new User("other")), test.io1);
    file.keeps = true;
    TestRequest earlier = TestGraph.send(otherLane);
    IsolatedSection isolated = test.get(owner::isolate);
    CompletableFuture<DrainedSection> drained =
        test.mainLoop.start("drain", () -> DrainedSection.begin(file));
    file.kept.remove().complete(0);
    DrainedSection section = drained.join();
    assertTrue(earlier.result.isDone());
    test.control(
        () -> {
          section.close();
          isolated.close();
        });
  }

  /** Whoever comes to the node, by whatever way, stops for as long as the section is on. */
  @Test
  void aUserWhoComesDuringAnIsolatedSectionIsHeld() throws Exception {
    TestNode file = test.node("file");
    TestNode filter = test.filter("filter", file);
    TestNode apart = test.node("apart");
    BlockBackend owner = test.use(file, new User("own"));
    User visitor = new User("visitor");
    BackendLane visitorLane = test.lane(test.use(apart, visitor), test.io1);
    visitor.events.clear();
    IsolatedSection section = test.get(owner::isolate);
    User late = new User("late");
    BackendLane lateLane = test.lane(test.use(filter, late), test.io0);
    TestRequest held = TestGraph.send(lateLane);
    assertFalse(held.result.isDone());
    GraphChange come = new GraphChange();
    come.attach(apart, "file", Set.of(ChildRole.DATA), file);
    test.control(come::run);
    TestRequest visits = TestGraph.send(visitorLane);
    assertFalse(visits.result.isDone());
    assertEquals(List.of("begin", "stopped"), visitor.events);
    assertEquals(0, TestGraph.send(test.lane(owner, test.io0)).result.join());
    GraphChange leave = new GraphChange();
    leave.detach(apart.children().getFirst());
    test.control(leave::run);
    assertEquals(0, visits.result.join());
    assertFalse(held.result.isDone());
    assertEquals(List.of("begin", "stopped", "end"), visitor.events);
    test.control(section::close);
    assertEquals(0, held.result.join());
    assertEquals(List.of("begin", "end"), List.of(late.events.getFirst(), late.events.getLast()));
  }

  @Test
  void anIsolatedSectionStaysAsItWasWhenAChangeIsRefused() throws Exception {
    TestNode file = test.node("file");
    TestNode apart = test.node("apart");
    BlockBackend owner = test.use(file, new User("own"));
    BackendLane lane = test.lane(test.use(apart, new User("visitor")), test.io1);
    BlockBackend other = test.use(file, new User("other"));
    IsolatedSection section = test.get(owner::isolate);
    file.refusesPermissions = "file says no";
    GraphChange change = new GraphChange();
    change.attach(apart, "file", Set.of(ChildRole.DATA), file);
    change.redirect(other.root(), apart);
    assertEquals("file says no", test.refusal(change::run));
    file.refusesPermissions = null;
    assertEquals(0, TestGraph.send(lane).result.join());
    assertTrue(test.get(other::isQuiesced));
    test.control(section::close);
    assertFalse(test.get(other::isQuiesced));
  }

  /** The owner goes on to stand on a filter, and so do those whom he keeps from it. */
  @Test
  void anIsolatedSectionFollowsItsOwnersNode() throws Exception {
    TestNode file = test.node("file");
    BlockBackend owner = test.use(file, new User("own"));
    User other = new User("other");
    BackendLane otherLane = test.lane(test.use(file, other), test.io1);
    other.events.clear();
    IsolatedSection section = test.get(owner::isolate);
    TestNode filter = test.filter("filter", file);
    test.control(() -> test.graph.insertFilter(filter, file));
    TestRequest held = TestGraph.send(otherLane);
    assertFalse(held.result.isDone());
    test.control(() -> test.graph.removeFilter(filter));
    assertFalse(held.result.isDone());
    test.control(section::close);
    assertEquals(0, held.result.join());
    assertEquals(List.of("begin", "stopped", "end"), other.events);
  }

  /** What a drained node comes to stand on rests as well; what it leaves may go on. */
  @Test
  void whatIsPutBelowADrainedNodeRestsToo() throws Exception {
    TestNode old = test.node("old");
    TestNode format = test.node("format", old, ChildRole.FILTER);
    TestNode below = test.node("below");
    TestNode next = test.node("next", below, ChildRole.FILTER);
    DrainedSection section = test.get(() -> DrainedSection.begin(format));
    for (TestNode node : List.of(old, next, below)) {
      node.events.clear();
    }
    GraphChange change = new GraphChange();
    change.redirect(format.children().getFirst(), next);
    test.control(change::run);
    assertEquals(List.of("begin", "still"), next.events);
    assertEquals(List.of("begin", "still"), below.events);
    assertEquals(List.of("end"), old.events);
    test.control(section::close);
    assertEquals(ONE_SECTION, next.events);
    assertEquals(ONE_SECTION, below.events);
    assertEquals(List.of("end"), old.events);
  }

  /** He does not reach the node that stands still, and is none of its business. */
  @Test
  void aUserWhoComesBelowADrainedNodeGoesOn() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.FILTER);
    DrainedSection section = test.get(() -> DrainedSection.begin(format));
    file.events.clear();
    BackendLane lane = test.lane(test.use(file, new User("late")), test.io0);
    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(List.of(), file.events, "it rests all the time");
    test.control(section::close);
    assertEquals(List.of("end"), file.events);
    assertEquals(0, format.quiesceDepth());
  }

  private static void clear(User user, TestNode... nodes) {
    user.events.clear();
    for (TestNode node : nodes) {
      node.events.clear();
    }
  }
}

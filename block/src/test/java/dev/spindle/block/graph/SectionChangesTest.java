// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.TestGraph.User;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Nodes that come, go, move and change hands while sections are on, or are about to be. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SectionChangesTest extends GraphFixture {
  private static final List<String> ONE_SECTION = List.of("begin", "still", "end");

  /** A graph on two contexts; each driver hears of the section once, however many reach it. */
  @Test
  void allNodesStandStillTogether() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    TestNode other = test.node("other");
    User user = new User("u");
    BackendLane lane = test.lane(test.use(format, user), test.io0);
    BackendLane otherLane = test.lane(test.use(other, new User("v")), test.io1);
    test.control(() -> ContextChange.run(other, test.io1.context()));
    user.events.clear();
    List<TestNode> nodes = List.of(file, format, other);
    nodes.forEach(node -> node.events.clear());
    DrainedSection section = test.get(test.graph::quiesceAll);
    DrainedSection inner = test.get(test.graph::quiesceAll);
    List<TestRequest> held = List.of(TestGraph.send(lane), TestGraph.send(otherLane));
    test.control(section::close);
    held.forEach(request -> assertFalse(request.result.isDone()));
    test.control(inner::close);
    held.forEach(request -> assertEquals(0, request.result.join()));
    nodes.forEach(node -> assertEquals(ONE_SECTION, node.events, node.name()));
    assertEquals(List.of("begin", "stopped", "end"), user.events);
  }

  @Test
  void whileAllStandStillNodesComeAndGoAndAreLinked() throws Exception {
    TestNode file = test.node("file");
    TestNode old = test.filter("old", file);
    BlockBackend backend = test.use(old, new User("u"));
    BackendLane lane = test.lane(backend, test.io0);
    DrainedSection section = test.get(test.graph::quiesceAll);
    TestRequest held = TestGraph.send(lane);
    TestNode late = test.get(() -> test.node("late"));
    assertEquals(1, late.quiesceDepth());
    assertEquals(List.of("begin", "still"), late.events);
    test.control(
        () -> {
          late.over(file, "file", ChildRole.FILTER);
          GraphChange change = new GraphChange();
          change.replace(old, late);
          change.run();
          test.graph.close(old);
        });
    assertTrue(old.closed);
    assertFalse(held.result.isDone());
    test.control(section::close);
    assertEquals(0, held.result.join());
    assertEquals(1, late.submitted.get());
    for (TestNode node : List.of(file, late, old)) {
      assertEquals(0, node.quiesceDepth(), node.name());
    }
    assertEquals("end", old.events.getLast());
  }

  /** Its section ends with it, and so does the rest of what it stood on. */
  @Test
  void aNodeIsClosedInItsOwnSection() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    file.events.clear();
    format.events.clear();
    DrainedSection section = test.get(() -> DrainedSection.begin(format));
    test.control(() -> test.graph.close(format));
    assertEquals(ONE_SECTION, format.events.subList(0, 3));
    assertEquals("end", file.events.getLast());
    test.control(section::close);
    assertEquals(0, format.quiesceDepth());
    assertEquals(0, file.quiesceDepth());
    assertEquals(
        file.events.stream().filter("begin"::equals).count(),
        file.events.stream().filter("end"::equals).count());
  }

  /** What a callback asks for happens when the section that is about to begin has ended. */
  @Test
  void aChildIsDetachedOutOfCallbacksDuringADrain() throws Exception {
    TestNode file = test.node("file");
    TestNode side = test.node("side");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    BlockEdge fileLink = format.children().getFirst();
    BlockEdge link = test.get(() -> format.over(side, "side", Set.of(ChildRole.DATA)));
    CompletableFuture<CompletableFuture<Void>> fromBegin = new CompletableFuture<>();
    User user =
        new User("u") {
          @Override
          public Runnable drainedBegin() {
            fromBegin.complete(detach(link));
            return super.drainedBegin();
          }
        };
    BackendLane lane = test.lane(test.use(format, new User("v")), test.io0);
    file.keeps = true;
    TestRequest sent = TestGraph.send(lane);
    CompletableFuture<CompletableFuture<Void>> fromCompletion =
        sent.result.thenApply(result -> detach(fileLink));
    // It is the parent's callback that detaches one child, and the request's end the other.
    CompletableFuture<Void> used =
        test.mainLoop.start(
            "use",
            () -> {
              new BlockBackend(format, user, TestGraph.READ, Permission.all());
              return null;
            });
    TestNode.Kept kept = file.kept.poll();
    while (kept == null) {
      Thread.onSpinWait();
      kept = file.kept.poll();
    }
    kept.complete(0);
    used.join();
    DrainedSection section = test.get(() -> DrainedSection.begin(format));
    test.control(section::close);
    fromBegin.join().join();
    fromCompletion.join().join();
    assertEquals(List.of(), test.get(format::children));
    assertEquals(0, side.quiesceDepth());
    assertEquals(0, file.quiesceDepth());
    assertEquals(0, format.quiesceDepth());
  }

  private CompletableFuture<Void> detach(BlockEdge link) {
    return test.mainLoop.start(
        "detach",
        () -> {
          if (link.node().parents().contains(link)) {
            GraphChange change = new GraphChange();
            change.detach(link);
            change.run();
          }
          return null;
        });
  }

  /** The section begins under one context and ends under another; what came meanwhile goes on. */
  @Test
  void aNodeMovesInsideASection() throws Exception {
    TestNode file = test.node("file");
    TestNode filter = test.filter("filter", file);
    BackendLane lane = test.lane(test.use(filter, new User("u")), test.io0);
    DrainedSection section = test.get(() -> DrainedSection.begin(file));
    TestRequest held = TestGraph.send(lane);
    test.control(() -> ContextChange.run(filter, test.io1.context()));
    assertSame(test.io1.context(), test.get(file::context));
    assertFalse(held.result.isDone());
    assertEquals(1, file.quiesceDepth());
    test.control(section::close);
    assertEquals(0, held.result.join());
    assertEquals(0, filter.quiesceDepth());
  }

  /** Two filters go while a request is on its way through them, and another waits. */
  @Test
  void intermediatesAreDroppedWhileARequestIsWaitedFor() throws Exception {
    TestNode file = test.node("file");
    TestNode lower = test.filter("lower", file);
    TestNode upper = test.filter("upper", lower);
    BlockBackend backend = test.use(upper, new User("u"));
    BackendLane lane = test.lane(backend, test.io0);
    upper.events.clear();
    file.keeps = true;
    TestRequest old = TestGraph.send(lane);
    CompletableFuture<Void> dropped =
        test.mainLoop.start(
            "drop",
            () -> {
              GraphChange change = new GraphChange();
              change.replace(upper, file);
              change.run();
              test.graph.close(upper);
              test.graph.close(lower);
              return null;
            });
    while (!upper.events.contains("still")) {
      Thread.onSpinWait();
    }
    TestRequest waiting = TestGraph.send(lane);
    assertFalse(dropped.isDone());
    file.keeps = false;
    file.kept.remove().complete(0);
    dropped.join();
    assertEquals(0, old.result.join());
    assertEquals(0, waiting.result.join());
    assertSame(file, test.get(backend::node));
    assertEquals(1, upper.submitted.get());
    assertEquals(2, file.submitted.get());
    assertEquals(1, file.openLanes.get());
  }

  /** A child is replaced while a section below waits for what is in flight there. */
  @Test
  void aChildIsReplacedAfterADrainThatWaited() throws Exception {
    TestNode old = test.node("old");
    TestNode next = test.node("next");
    TestNode format = test.node("format", old, ChildRole.FILTER);
    BackendLane lane = test.lane(test.use(format, new User("u")), test.io0);
    old.events.clear();
    old.keeps = true;
    TestRequest sent = TestGraph.send(lane);
    CompletableFuture<DrainedSection> drained =
        test.mainLoop.start("drain", () -> DrainedSection.begin(old));
    CompletableFuture<Void> replaced =
        test.mainLoop.start(
            "replace",
            () -> {
              GraphChange change = new GraphChange();
              change.redirect(format.children().getFirst(), next);
              change.run();
              return null;
            });
    while (!old.events.contains("still")) {
      Thread.onSpinWait();
    }
    assertFalse(drained.isDone());
    old.kept.remove().complete(0);
    DrainedSection section = drained.join();
    replaced.join();
    assertEquals(0, sent.result.join());
    // The section is about the old child, whom nobody of this graph reaches any more.
    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(1, next.submitted.get());
    assertEquals(1, old.quiesceDepth());
    test.control(section::close);
    assertEquals(0, old.quiesceDepth());
  }
}

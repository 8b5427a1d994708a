// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.block.graph.TestGraph.Work;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GraphChangeTest {
  private TestGraph test;

  @BeforeEach
  void start() throws Exception {
    test = new TestGraph();
  }

  @AfterEach
  void stop() throws Exception {
    test.close();
  }

  private String refusal(Work work) throws Exception {
    String before = test.picture();
    BlockException refusal = assertThrows(BlockException.class, () -> test.control(work));
    assertEquals(before, test.picture());
    return refusal.getMessage();
  }

  @Test
  void aFilterTakesItsPlaceAndLeavesIt() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    BackendLane lane = test.lane(test.use(format, new User("u")), test.io0);
    TestNode filter = test.filter("filter", file);

    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(0, filter.submitted.get());
    test.control(() -> test.graph.insertFilter(filter, file));
    assertSame(filter, format.children().getFirst().node());
    assertSame(file, filter.children().getFirst().node());
    assertEquals(1, file.parents().size());
    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(1, filter.submitted.get());

    test.control(() -> test.graph.removeFilter(filter));
    assertTrue(filter.closed);
    assertSame(file, format.children().getFirst().node());
    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(1, filter.submitted.get());
    assertEquals(3, file.submitted.get());
    assertEquals(List.of(file, format), test.get(() -> test.graph.nodes()));
    assertEquals(1, file.openLanes.get());
  }

  /** What is on its way ends where it began; what waits goes the new way. */
  @Test
  void waitsForRequestsOnTheOldWay() throws Exception {
    TestNode file = test.node("file");
    BackendLane lane = test.lane(test.use(file, new User("u")), test.io0);
    TestNode filter = test.filter("filter", file);
    file.events.clear();
    file.keeps = true;
    TestRequest old = TestGraph.send(lane);
    CompletableFuture<Void> inserted =
        test.mainLoop.start(
            "insert",
            () -> {
              test.graph.insertFilter(filter, file);
              return null;
            });
    while (!file.events.contains("still")) {
      Thread.onSpinWait();
    }
    TestRequest waiting = TestGraph.send(lane);
    assertFalse(inserted.isDone());
    file.keeps = false;
    file.kept.remove().complete(0);
    inserted.join();
    assertEquals(0, old.result.join());
    assertEquals(0, waiting.result.join());
    assertEquals(1, filter.submitted.get());
  }

  @Test
  void aBackendsNodeIsReplacedUnderIt() throws Exception {
    TestNode base = test.node("base");
    BlockBackend backend = test.use(base, new User("u"));
    BackendLane lane = test.lane(backend, test.io0);
    TestNode overlay = test.node("overlay");
    test.control(() -> overlay.over(base, "backing", ChildRole.BACKING));
    test.control(
        () -> {
          GraphChange append = new GraphChange();
          append.replace(base, overlay);
          append.run();
        });
    assertSame(overlay, test.get(backend::node));
    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(1, overlay.submitted.get());
  }

  @Test
  void aCycleIsRefused() throws Exception {
    TestNode file = test.node("file");
    TestNode middle = test.filter("middle", file);
    TestNode top = test.filter("top", middle);
    assertEquals(
        "Making 'top' a data child of 'file' would create a cycle",
        refusal(() -> file.over(top, "data", Set.of(ChildRole.DATA))));
    assertEquals(
        "Making 'file' a file child of 'file' would create a cycle",
        refusal(() -> file.over(file, "file", ChildRole.FILTER)));
  }

  @Test
  void aFrozenLinkStays() throws Exception {
    TestNode base = test.node("base");
    TestNode overlay = test.node("overlay");
    BlockEdge link = test.get(() -> overlay.over(base, "backing", ChildRole.BACKING));
    TestNode other = test.node("other");
    test.control(() -> link.freeze("job 'stream0'"));
    String expected =
        "Cannot change 'backing' link from node 'overlay' to 'base': job 'stream0' relies on it";
    GraphChange redirect = new GraphChange();
    redirect.redirect(link, other);
    assertEquals(expected, refusal(redirect::run));
    GraphChange detach = new GraphChange();
    detach.detach(link);
    assertEquals(expected, refusal(detach::run));
    test.control(link::unfreeze);
    GraphChange now = new GraphChange();
    now.redirect(link, other);
    test.control(now::run);
    assertSame(other, link.node());
  }

  @Test
  void aNodeInUseIsNotClosed() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    test.use(format, new User("u"));
    assertEquals("Node 'file' is in use by node 'format'", refusal(() -> test.graph.close(file)));
    assertEquals("Node 'format' is in use by user 'u'", refusal(() -> test.graph.close(format)));
  }

  /** The last of several edits is impossible: those before it have not happened, either. */
  @Test
  void aRefusedChangeLeavesTheGraphAsItWas() throws Exception {
    TestNode file = test.node("file");
    TestNode other = test.node("other");
    TestNode left = test.filter("left", file);
    TestNode middle = test.filter("middle", file);
    TestNode right = test.filter("right", file);
    BackendLane lane = test.lane(test.use(middle, new User("u")), test.io0);
    other.refusesPermissions = "other says no";
    GraphChange change = new GraphChange();
    change.attach(right, "second", Set.of(ChildRole.DATA), other);
    change.detach(left.children().getFirst());
    change.redirect(middle.children().getFirst(), other);
    assertEquals("other says no", refusal(change::run));
    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(1, file.submitted.get());
    assertEquals(1, file.openLanes.get());
    assertEquals(0, other.openLanes.get());
  }
}

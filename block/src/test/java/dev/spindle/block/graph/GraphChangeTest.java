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

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GraphChangeTest extends GraphFixture {
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

  /** What the new node stands on goes on standing on the old one, however far below that is. */
  @Test
  void whatIsBelowTheNewNodeKeepsTheOldOne() throws Exception {
    TestNode old = test.node("old");
    TestNode middle = test.node("middle");
    test.control(() -> middle.over(old, "backing", ChildRole.BACKING));
    TestNode top = test.filter("top", middle);
    TestNode beside = test.filter("beside", old);
    BlockBackend backend = test.use(old, new User("u"));
    GraphChange change = new GraphChange();
    change.replace(old, top);
    test.control(change::run);
    assertSame(old, middle.children().getFirst().node());
    assertSame(middle, top.children().getFirst().node());
    assertSame(top, beside.children().getFirst().node());
    assertSame(top, test.get(backend::node));
    assertEquals(1, old.parents().size());
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
        test.refusal(() -> file.over(top, "data", Set.of(ChildRole.DATA))));
    assertEquals(
        "Making 'file' a file child of 'file' would create a cycle",
        test.refusal(() -> file.over(file, "file", ChildRole.FILTER)));
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
    assertEquals(expected, test.refusal(redirect::run));
    GraphChange detach = new GraphChange();
    detach.detach(link);
    assertEquals(expected, test.refusal(detach::run));
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
    assertEquals(
        "Node 'file' is in use by node 'format'", test.refusal(() -> test.graph.close(file)));
    assertEquals(
        "Node 'format' is in use by user 'u'", test.refusal(() -> test.graph.close(format)));
  }

  /** A node may come to stand on one that was opened after it. */
  @Test
  void allAreClosedWhateverTheOrderOfOpening() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    TestNode late = test.node("late");
    TestNode later = test.filter("later", late);
    GraphChange change = new GraphChange();
    change.redirect(format.children().getFirst(), later);
    test.control(change::run);
    BlockBackend backend = test.use(later, new User("u"));
    assertEquals("Node 'later' is in use by user 'u'", test.refusal(test.graph::closeAll));
    assertFalse(format.closed);
    test.control(backend::close);
    test.control(test.graph::closeAll);
    for (TestNode node : List.of(file, format, late, later)) {
      assertTrue(node.closed, node.name());
    }
    assertEquals(List.of(), test.get(() -> test.graph.nodes()));
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
    assertEquals("other says no", test.refusal(change::run));
    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(1, file.submitted.get());
    assertEquals(1, file.openLanes.get());
    assertEquals(0, other.openLanes.get());
  }
}

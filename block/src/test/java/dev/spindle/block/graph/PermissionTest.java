// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PermissionTest extends GraphFixture {
  private static final Set<Permission> READ_ONLY_OTHERS =
      EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED);

  private BlockBackend use(
      BlockNode node, String user, Set<Permission> used, Set<Permission> shared) throws Exception {
    return test.get(() -> new BlockBackend(node, new User(user), used, shared));
  }

  private String refusal(BlockNode node, String user, Set<Permission> used, Set<Permission> shared)
      throws Exception {
    String before = test.picture();
    BlockException refusal =
        assertThrows(BlockException.class, () -> use(node, user, used, shared));
    assertEquals(before, test.picture());
    return refusal.getMessage();
  }

  @Test
  void whatUsersDoReachesTheBottomOfTheTree() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    TestNode filter = test.filter("filter", format);
    BlockBackend writer = use(filter, "writer", TestGraph.READ_WRITE, READ_ONLY_OTHERS);
    assertEquals(TestGraph.READ_WRITE, format.used);
    assertEquals(READ_ONLY_OTHERS, format.shared);
    assertEquals(
        EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE, Permission.RESIZE), file.used);
    assertEquals(READ_ONLY_OTHERS, file.shared);
    test.control(writer::close);
    assertEquals(Set.of(), format.used);
    assertEquals(Permission.all(), format.shared);
  }

  /** A backing file is read by overlays, and by nobody written. */
  @Test
  void aBackingFileIsSharedByOverlaysAndNotWritten() throws Exception {
    TestNode base = test.node("base");
    for (int i = 0; i < 2; i++) {
      TestNode overlay = test.node("overlay" + i);
      test.control(() -> overlay.over(base, "backing", ChildRole.BACKING));
      use(overlay, "guest" + i, TestGraph.READ_WRITE, READ_ONLY_OTHERS);
    }
    assertEquals(TestGraph.READ, base.used);
    assertEquals(
        "Permission conflict on node 'base': permissions 'write' are both required by user"
            + " 'intruder' (uses node 'base' as 'root' child) and unshared by node 'overlay0'"
            + " (uses node 'base' as 'backing' child).",
        refusal(base, "intruder", TestGraph.READ_WRITE, Permission.all()));
  }

  @Test
  void aSecondWriterIsRefusedThroughAnotherFilter() throws Exception {
    TestNode file = test.node("file");
    TestNode left = test.filter("left", file);
    TestNode right = test.filter("right", file);
    use(left, "first", TestGraph.READ_WRITE, READ_ONLY_OTHERS);
    assertEquals(
        "Permission conflict on node 'file': permissions 'write' are both required by node 'right'"
            + " (uses node 'file' as 'file' child) and unshared by node 'left' (uses node 'file' as"
            + " 'file' child).",
        refusal(right, "second", TestGraph.READ_WRITE, Permission.all()));
    use(right, "reader", TestGraph.READ, Permission.all());
  }

  @Test
  void writersWhoShareAgree() throws Exception {
    TestNode file = test.node("file");
    use(file, "one", TestGraph.READ_WRITE, Permission.all());
    use(file, "two", TestGraph.READ_WRITE, Permission.all());
    assertEquals(
        "Permission conflict on node 'file': permissions 'write' are both required by user 'one'"
            + " (uses node 'file' as 'root' child) and unshared by user 'alone' (uses node 'file'"
            + " as 'root' child).",
        refusal(file, "alone", TestGraph.READ, TestGraph.READ));
  }

  @Test
  void aReadOnlyNodeHasNoWriters() throws Exception {
    TestNode file = test.node("file");
    file.readOnly = true;
    assertEquals(
        "Read-only block node 'file' does not support read-write users: user 'w' (uses node 'file'"
            + " as 'root' child)",
        refusal(file, "w", TestGraph.READ_WRITE, Permission.all()));
  }

  /** A filter that writes to its child, and lets nobody else. */
  private static final class GreedyFilter extends FilterNode {
    GreedyFilter(String name, BlockNode child) throws BlockException {
      super(name, "greedy", "file", child);
      takeHold();
    }

    @Override
    protected ChildPermissions childPermissions(
        BlockEdge child, Set<Permission> used, Set<Permission> shared) {
      return parents().isEmpty()
          ? new ChildPermissions(Permission.none(), Permission.all())
          : new ChildPermissions(TestGraph.READ_WRITE, TestGraph.READ);
    }

    @Override
    protected BlockLane makeLane(AioContext context) {
      return child().openLane(context);
    }
  }

  /**
   * What the others did to the child they do to the filter, so that it may have the child alone.
   */
  @Test
  void aGreedyFilterIsPutBeforeANodeThatHasAWriter() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.FILTER);
    use(format, "writer", TestGraph.READ_WRITE, READ_ONLY_OTHERS);
    BlockNode greedy = test.get(() -> test.graph.add(new GreedyFilter("greedy", file)));
    test.control(() -> test.graph.insertFilter(greedy, file));
    assertEquals(TestGraph.READ_WRITE, file.used);
    assertEquals(TestGraph.READ, file.shared);
    assertEquals(
        "Permission conflict on node 'file': permissions 'write' are both required by user 'late'"
            + " (uses node 'file' as 'root' child) and unshared by node 'greedy' (uses node 'file'"
            + " as 'file' child).",
        refusal(file, "late", TestGraph.READ_WRITE, Permission.all()));
    test.control(() -> test.graph.removeFilter(greedy));
    assertEquals(READ_ONLY_OTHERS, file.shared);
  }

  /** Uses one of its children, alone, and nothing of the others. */
  private static final class Selector extends FilterNode {
    private BlockNode selected;

    Selector(String name, BlockNode first, BlockNode second) throws BlockException {
      super(name, "selector", "first", first);
      selected = first;
      takeHold();
      attachChild(second, "second", Set.of(ChildRole.DATA));
    }

    @Override
    protected ChildPermissions childPermissions(
        BlockEdge child, Set<Permission> used, Set<Permission> shared) {
      return child.node() == selected
          ? new ChildPermissions(TestGraph.READ_WRITE, TestGraph.READ)
          : new ChildPermissions(Permission.none(), Permission.all());
    }

    @Override
    protected BlockLane makeLane(AioContext context) {
      return selected.openLane(context);
    }

    @Override
    protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
        throws BlockException, OptionException {
      selected = graph.find(options.require("selected"));
      return Transaction.NOTHING;
    }
  }

  /**
   * Both ways lead to one file by a different number of nodes. Whichever way is walked first, the
   * file must hear what is new of both before it is asked.
   */
  @Test
  void permissionsOnTwoWaysToOneNodeChangePlacesAtOnce() throws Exception {
    TestNode file = test.node("file");
    TestNode left = test.filter("left", file);
    TestNode right = test.filter("right", test.filter("between", file));
    BlockNode top = test.get(() -> test.graph.add(new Selector("top", left, right)));
    assertEquals(TestGraph.READ_WRITE, left.used);
    for (int i = 0; i < 3; i++) {
      test.reopen("driver=selector,node-name=top,selected=right");
      assertEquals(TestGraph.READ_WRITE, right.used);
      assertEquals(Set.of(), left.used);
      test.reopen("driver=selector,node-name=top,selected=left");
      assertEquals(TestGraph.READ_WRITE, left.used);
      assertEquals(Set.of(), right.used);
      assertEquals(TestGraph.READ_WRITE, file.used);
      assertEquals(TestGraph.READ, file.shared);
    }
    assertEquals(2, top.children().size());
  }

  /** Two writers that exclude each other: one goes as the other comes, in one change. */
  @Test
  void whatLeavesInAChangeDoesNotStandInTheWayOfWhatComes() throws Exception {
    TestNode file = test.node("file");
    TestNode left = test.filter("left", file);
    use(left, "left", TestGraph.READ_WRITE, READ_ONLY_OTHERS);
    TestNode spare = test.node("spare");
    TestNode right = test.node("right", spare, ChildRole.FILTER);
    use(right, "right", TestGraph.READ_WRITE, READ_ONLY_OTHERS);
    GraphChange swap = new GraphChange();
    swap.redirect(right.children().getFirst(), file);
    swap.redirect(left.children().getFirst(), spare);
    test.control(swap::run);
    assertEquals(TestGraph.READ_WRITE, file.used);
    assertEquals(TestGraph.READ_WRITE, spare.used);
  }
}

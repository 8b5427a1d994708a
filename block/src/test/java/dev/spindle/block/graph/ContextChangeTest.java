// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ContextChangeTest extends GraphFixture {
  private AioContext main;
  private AioContext io0;
  private AioContext io1;

  @BeforeEach
  void start() throws Exception {
    main = test.mainLoop.context();
    io0 = test.io0.context();
    io1 = test.io1.context();
  }

  private void move(BlockNode node, AioContext target) throws Exception {
    test.control(() -> ContextChange.run(node, target));
  }

  private void assertOn(AioContext context, BlockNode... nodes) {
    for (BlockNode node : nodes) {
      assertSame(context, node.context(), node.name());
    }
  }

  @Test
  void aChainMovesWhole() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    TestNode filter = test.filter("filter", format);
    move(format, io0);
    assertOn(io0, file, format, filter);
    move(file, io1);
    assertOn(io1, file, format, filter);
  }

  /** Each parent is asked once, however many ways lead to it. */
  @Test
  void aDiamondMovesWholeAndAsksOnce() throws Exception {
    TestNode file = test.node("file");
    TestNode left = test.filter("left", file);
    TestNode right = test.filter("right", file);
    TestNode top = test.node("top");
    test.control(
        () -> {
          top.over(left, "left", Set.of(ChildRole.DATA));
          top.over(right, "right", Set.of(ChildRole.DATA));
        });
    List<String> asked = new ArrayList<>();
    BackendUser user =
        new BackendUser() {
          @Override
          public String describe() {
            return "user";
          }

          @Override
          public void prepareContextChange(AioContext target, ContextChange change) {
            asked.add(target.name());
          }
        };
    test.use(top, user);
    move(right, io0);
    assertOn(io0, file, left, right, top);
    assertEquals(List.of("io0"), asked);
  }

  @Test
  void oneRefusalDeepInTheGraphLeavesEverybodyWhereHeWas() throws Exception {
    TestNode file = test.node("file");
    TestNode left = test.filter("left", file);
    TestNode right = test.filter("right", file);
    User follows = new User("follows");
    User stays = new User("stays");
    stays.stays = true;
    test.use(left, follows);
    test.use(right, stays);
    follows.events.clear();
    String before = test.picture();
    BlockException refusal = assertThrows(BlockException.class, () -> move(left, io0));
    assertEquals("Changing iothreads is not supported by user 'stays'", refusal.getMessage());
    assertEquals(before, test.picture());
    assertEquals(List.of(), follows.events);
  }

  @Test
  void whatParentsPreparedIsTakenBackWhenADriverRefuses() throws Exception {
    TestNode file = test.node("file");
    TestNode filter = test.filter("filter", file);
    List<String> fate = new ArrayList<>();
    BackendUser user =
        new BackendUser() {
          @Override
          public String describe() {
            return "user";
          }

          @Override
          public void prepareContextChange(AioContext target, ContextChange change) {
            change.add(
                new Transaction.Action() {
                  @Override
                  public void commit() {
                    fate.add("commit");
                  }

                  @Override
                  public void abort() {
                    fate.add("abort");
                  }

                  @Override
                  public void clean() {
                    fate.add("clean");
                  }
                });
          }
        };
    test.use(filter, user);
    file.refusesContext = "file works in the main loop only";
    BlockException refusal = assertThrows(BlockException.class, () -> move(filter, io0));
    assertEquals("file works in the main loop only", refusal.getMessage());
    assertEquals(List.of("abort", "clean"), fate);
    assertOn(main, file, filter);
    file.refusesContext = null;
    move(filter, io0);
    assertEquals(List.of("abort", "clean", "commit", "clean"), fate);
  }

  /**
   * The section is the parents' business under both contexts: it begins in one, ends in another.
   */
  @Test
  void sectionsBeginUnderTheOldContextAndEndUnderTheNew() throws Exception {
    List<String> seen = new ArrayList<>();
    TestNode file = test.node("file");
    BackendUser user =
        new BackendUser() {
          @Override
          public String describe() {
            return "user";
          }

          @Override
          public Runnable drainedBegin() {
            seen.add("begin on " + file.context().name());
            return () -> seen.add("stopped on " + file.context().name());
          }

          @Override
          public void drainedEnd() {
            seen.add("end on " + file.context().name());
          }

          @Override
          public void prepareContextChange(AioContext target, ContextChange change) {}
        };
    test.use(file, user);
    move(file, io0);
    seen.clear();
    move(file, io1);
    assertEquals(List.of("begin on io0", "stopped on io0", "end on io1"), seen);
  }

  @Test
  void aNewParentWithoutUsersFollowsItsChild() throws Exception {
    TestNode file = test.node("file");
    test.use(file, new User("u"));
    move(file, io0);
    TestNode filter = test.filter("filter", file);
    assertOn(io0, file, filter);
  }

  @Test
  void aChildFollowsAParentInUse() throws Exception {
    TestNode top = test.node("top");
    test.use(top, new User("u"));
    move(top, io0);
    TestNode below = test.node("below");
    TestNode child = test.node("child", below, ChildRole.IMAGE);
    test.control(() -> top.over(child, "data", Set.of(ChildRole.DATA)));
    assertOn(io0, top, child, below);
  }

  @Test
  void aParentFollowsAChildThatCannot() throws Exception {
    TestNode top = test.node("top");
    test.use(top, new User("moves"));
    move(top, io0);
    TestNode child = test.node("child");
    User stays = new User("stays");
    stays.stays = true;
    test.use(child, stays);
    test.control(() -> top.over(child, "data", Set.of(ChildRole.DATA)));
    assertOn(main, top, child);
  }

  /** The second link goes by where the first one has put the parent. */
  @Test
  void severalLinksMadeInOneChangeAllEndInOneContext() throws Exception {
    TestNode top = test.node("top");
    User user = new User("u");
    test.use(top, user);
    move(top, io0);
    TestNode willing = test.node("willing");
    TestNode elsewhere = test.node("elsewhere");
    test.use(elsewhere, new User("follows"));
    move(elsewhere, io1);
    TestNode fixed = test.node("fixed");
    User stays = new User("stays");
    stays.stays = true;
    test.use(fixed, stays);
    GraphChange change = new GraphChange();
    for (TestNode child : List.of(willing, fixed, elsewhere)) {
      change.attach(top, child.name(), Set.of(ChildRole.DATA), child);
    }
    test.control(change::run);
    assertOn(main, top, willing, fixed, elsewhere);
  }

  @Test
  void whatOneLinkMovedGoesBackWhenAnotherIsRefused() throws Exception {
    TestNode top = test.node("top");
    User above = new User("above");
    test.use(top, above);
    move(top, io0);
    above.stays = true;
    TestNode willing = test.node("willing");
    TestNode fixed = test.node("fixed");
    User stays = new User("stays");
    stays.stays = true;
    test.use(fixed, stays);
    GraphChange change = new GraphChange();
    change.attach(top, "willing", Set.of(ChildRole.DATA), willing);
    change.attach(top, "fixed", Set.of(ChildRole.DATA), fixed);
    assertEquals("Changing iothreads is not supported by user 'stays'", test.refusal(change::run));
    assertOn(io0, top);
    assertOn(main, willing, fixed);
  }

  @Test
  void twoWhoCannotMeetAreNotJoined() throws Exception {
    TestNode top = test.node("top");
    User above = new User("above");
    test.use(top, above);
    move(top, io0);
    above.stays = true;
    TestNode child = test.node("child");
    User below = new User("below");
    below.stays = true;
    test.use(child, below);
    String before = test.picture();
    BlockException refusal =
        assertThrows(
            BlockException.class,
            () -> test.control(() -> top.over(child, "data", Set.of(ChildRole.DATA))));
    assertEquals("Changing iothreads is not supported by user 'below'", refusal.getMessage());
    assertEquals(before, test.picture());
  }

  @Test
  void everyOperationReachesANodeOnAnIothread() throws Exception {
    TestNode file = test.node("file");
    TestNode format = test.node("format", file, ChildRole.IMAGE);
    BlockBackend backend = test.use(format, new User("u"));
    move(format, io0);
    BackendLane lane =
        test.lane(
            test.get(
                () ->
                    new BlockBackend(
                        format, new User("w"), TestGraph.READ_WRITE, Permission.all())),
            test.io0);
    file.keeps = true;
    for (Operation operation : Operation.values()) {
      TestRequest request =
          operation == Operation.READ || operation == Operation.WRITE
              ? TestRequest.transfer(operation, 512, Io.filled(512, 1))
              : TestRequest.range(operation, 512, 512);
      TestGraph.send(lane, request);
      TestNode.Kept kept = file.kept.remove();
      assertSame(io0, kept.context());
      assertEquals(operation, kept.request().operation);
      kept.complete(-Errno.ENOSPC);
      assertEquals(-Errno.ENOSPC, request.result.join());
    }
    file.keeps = false;
    // Control work has its own way there, whatever the node's context.
    assertEquals(0, test.get(() -> backend.flush(main)).intValue());
  }

  @Test
  void aSecondUserLeavesTheNodeWhereItIs() throws Exception {
    TestNode file = test.node("file");
    BlockBackend first = test.use(file, new User("first"));
    move(file, io0);
    BlockBackend second = test.use(file, new User("second"));
    assertOn(io0, file);
    test.control(first::close);
    assertOn(io0, file);
    test.control(second::close);
    assertOn(main, file);
  }

  /** A backend is led to a node elsewhere: it is the node that comes. */
  @Test
  void aBackendKeepsItsContextWhenItsNodeIsReplaced() throws Exception {
    TestNode old = test.node("old");
    test.use(old, new User("u"));
    move(old, io0);
    TestNode overlay = test.node("overlay");
    test.control(() -> overlay.over(old, "backing", ChildRole.BACKING));
    assertOn(io0, overlay);
    GraphChange append = new GraphChange();
    append.replace(old, overlay);
    test.control(append::run);
    assertOn(io0, old, overlay);
  }

  @Test
  void aDetachedSubtreeGoesHome() throws Exception {
    TestNode below = test.node("below");
    TestNode child = test.node("child", below, ChildRole.IMAGE);
    TestNode top = test.filter("top", child);
    BlockBackend backend = test.use(top, new User("u"));
    move(top, io0);
    GraphChange detach = new GraphChange();
    detach.detach(top.children().getFirst());
    test.control(detach::run);
    assertOn(io0, top);
    assertOn(main, child, below);
    test.control(backend::close);
    assertOn(main, top);
  }

  @Test
  void whatIsBeyondAnIgnoredLinkStays() throws Exception {
    TestNode file = test.node("file");
    TestNode top = test.node("top");
    BlockEdge link = test.get(() -> top.over(file, "file", ChildRole.IMAGE));
    test.control(
        () -> {
          Transaction transaction = new Transaction();
          ContextChange.prepare(top, io0, link, transaction);
          transaction.commit();
        });
    assertOn(io0, top);
    assertOn(main, file);
  }
}

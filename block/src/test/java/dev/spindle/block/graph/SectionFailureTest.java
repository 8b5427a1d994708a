// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.block.graph.TestGraph.Work;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.linux.Errno;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A driver or a user throws what nobody has declared, in the middle of a section's beginning or of
 * a change: whatever had begun has ended, and everybody works as before.
 */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SectionFailureTest extends GraphFixture {
  private static final class Planted extends Error {
    private static final long serialVersionUID = 1;
  }

  /** A user who throws at one of his callbacks. */
  private static final class Thrower implements BackendUser {
    String throwsAt = "";
    int begun;

    private void at(String callback) {
      if (callback.equals(throwsAt)) {
        throw new Planted();
      }
    }

    @Override
    public String describe() {
      return "the thrower";
    }

    @Override
    public Runnable drainedBegin() {
      at("drainedBegin");
      begun++;
      return () -> at("awaitStopped");
    }

    @Override
    public void drainedEnd() {
      begun--;
      at("drainedEnd");
    }

    @Override
    public void prepareContextChange(AioContext target, ContextChange change) {
      at("prepareContextChange");
    }
  }

  private final TestGraph.User before = new TestGraph.User("before");
  private final TestGraph.User after = new TestGraph.User("after");
  private final Thrower thrower = new Thrower();
  private TestNode file;
  private TestNode format;
  private BlockBackend first;
  private BlockBackend throwing;
  private BlockBackend last;

  /** Two nodes; on the upper one somebody who throws, between two who do not. */
  @BeforeEach
  void start() throws Exception {
    file = test.node("file");
    format = test.node("format", file, ChildRole.FILTER);
    first = test.use(format, before);
    throwing = test.use(format, thrower);
    last = test.use(format, after);
  }

  private void failAt(String who, String callback) {
    switch (who) {
      case "user" -> thrower.throwsAt = callback;
      case "format" -> failAt(format, callback);
      case "file" -> failAt(file, callback);
      default -> throw new IllegalArgumentException(who);
    }
  }

  private static void failAt(TestNode node, String callback) {
    node.onCallback =
        now -> {
          if (now.equals(callback)) {
            throw new Planted();
          }
        };
  }

  private void assertNothingIsLeftOf(Work work) throws Exception {
    assertNothingIsLeftOf(Planted.class, work);
  }

  private void assertNothingIsLeftOf(Class<? extends Throwable> failure, Work work)
      throws Exception {
    String picture = test.picture();
    int openLanes = format.openLanes.get();
    assertThrows(failure, () -> test.control(work));
    thrower.throwsAt = "";
    format.onCallback = callback -> {};
    file.onCallback = callback -> {};
    assertEquals(picture, test.picture());
    assertEquals(openLanes, format.openLanes.get());
    assertEverybodyGoesOn();
  }

  private void assertEverybodyGoesOn() throws Exception {
    assertEquals(0, thrower.begun);
    for (TestGraph.User user : List.of(before, after)) {
      assertEquals(count(user, "begin"), count(user, "end"), user.events::toString);
    }
    for (TestNode node : List.of(file, format)) {
      assertEquals(
          node.events.stream().filter("begin"::equals).count(),
          node.events.stream().filter("end"::equals).count(),
          node.events::toString);
    }
    for (BlockBackend backend : List.of(first, throwing, last)) {
      assertFalse(backend.isQuiesced(), backend.describe());
      assertEquals(0, TestGraph.send(test.lane(backend, test.io0)).result.join());
    }
  }

  private static long count(TestGraph.User user, String event) {
    return user.events.stream().filter(event::equals).count();
  }

  /** No way is left open to the first child when there is none to the second. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "driver=quorum,node-name=n,children.0=one,children.1=two,vote-threshold=1",
        "driver=blkverify,node-name=n,test=one,raw=two",
        "driver=copy-before-write,node-name=n,file=one,target=two"
      })
  void aLaneThroughSeveralChildren(String description) throws Exception {
    TestNode one = test.node("one");
    TestNode two = test.node("two");
    BlockBackend user = test.use(test.open(description), new User("of several"));
    failAt(two, "makeLane");
    assertThrows(Planted.class, () -> test.lane(user, test.io0));
    assertEquals(0, one.openLanes.get());
    two.onCallback = callback -> {};
    test.lane(user, test.io0);
    assertEquals(1, one.openLanes.get());
  }

  /** Who is in a section that ends goes on, and hears of it, although a context has ended. */
  @Test
  void aContextThatEndsWithinASection() throws Exception {
    BackendLane told = test.lane(throwing, test.io0);
    IoThread ended = IoThread.start("ended", ContextOptions.IOTHREAD);
    ended.context().call(() -> throwing.openLane(ended.context()));
    DrainedSection section = test.get(() -> DrainedSection.begin(file));
    TestRequest held = TestGraph.send(told);
    ended.close();
    test.control(section::close);
    assertEquals(0, held.result.join());
    assertFalse(throwing.isQuiesced());
    assertEquals(0, thrower.begun);
    assertEquals(count(after, "begin"), count(after, "end"));
  }

  /** What is asked on a context's own thread fails there, and whoever waits hears of it. */
  @Test
  void aQuestionThatThrowsOnItsContext() throws Exception {
    BackendLane lane = test.lane(first, test.io0);
    file.keeps = true;
    TestRequest kept = TestGraph.send(lane);
    format.onHurry =
        () -> {
          throw new Planted();
        };
    assertThrows(Planted.class, () -> test.control(first::quiesceBegin));
    format.onHurry = () -> {};
    assertFalse(first.isQuiesced());
    file.keeps = false;
    file.kept.remove().complete(0);
    assertEquals(0, kept.result.join());
  }

  @ParameterizedTest
  @CsvSource({
    "user,drainedBegin",
    "user,awaitStopped",
    "format,drainedBegin",
    "format,awaitStill",
    "file,drainedBegin",
    "file,awaitStill"
  })
  void aDrainedSection(String who, String callback) throws Exception {
    failAt(who, callback);
    assertNothingIsLeftOf(() -> DrainedSection.begin(file));
    failAt(who, callback);
    assertNothingIsLeftOf(() -> DrainedSection.begin(List.of(format, file)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"drainedBegin", "awaitStopped"})
  void anIsolatedSection(String callback) throws Exception {
    failAt("user", callback);
    assertNothingIsLeftOf(() -> first.isolate());
  }

  @ParameterizedTest
  @ValueSource(strings = {"drainedBegin", "awaitStopped"})
  void aBackendsOwnSection(String callback) throws Exception {
    failAt("user", callback);
    assertNothingIsLeftOf(() -> throwing.quiesceBegin());
  }

  /** What one throws who is told to go on keeps none of the others from it. */
  @ParameterizedTest
  @ValueSource(strings = {"user", "format", "file"})
  void anEndOfASection(String who) throws Exception {
    Runnable failure =
        () -> {
          throw new Planted();
        };
    switch (who) {
      case "user" -> thrower.throwsAt = "drainedEnd";
      case "format" -> format.onDrainedEnd = failure;
      default -> file.onDrainedEnd = failure;
    }
    BackendLane lane = test.lane(last, test.io0);
    DrainedSection section = test.get(() -> DrainedSection.begin(file));
    TestRequest held = TestGraph.send(lane);
    test.control(section::close);
    assertEquals(0, held.result.join());
    assertEverybodyGoesOn();
    IsolatedSection isolated = test.get(first::isolate);
    test.control(isolated::close);
    assertEverybodyGoesOn();
  }

  /** Who has been told to stop before it is found that somebody's context is no more goes on. */
  @Test
  void aLaneWhoseContextHasEnded() throws Exception {
    ThrottleGroup group = Throttles.group("g", Throttles.limits("iops-total=1000000"));
    BackendLane told = test.lane(throwing, test.io0);
    IoThread ended = IoThread.start("ended", ContextOptions.IOTHREAD);
    ended.context().call(() -> throwing.openLane(ended.context()));
    test.control(() -> throwing.setThrottle(group));
    ended.close();
    Class<? extends Throwable> failure = RejectedExecutionException.class;
    List<Work> sections =
        List.of(
            () -> DrainedSection.begin(file), () -> first.isolate(), () -> throwing.quiesceBegin());
    for (Work section : sections) {
      assertNothingIsLeftOf(failure, section);
      TestRequest read = TestRequest.transfer(Operation.READ, 0, Io.memory(512));
      assertEquals(0, TestGraph.send(told, read).result.join());
    }
  }

  /** Drivers whose node has one child already when another one is not to be had. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "driver=quorum,children.0=one,children.1=two,vote-threshold=1",
        "driver=blkverify,test=one,raw=two",
        "driver=copy-before-write,file=one,target=two",
        "driver=throttle,throttle-group=group,file=two"
      })
  void anOpeningWithSeveralChildren(String description) throws Exception {
    test.node("one");
    failAt(test.node("two"), "preparePermissions");
    test.control(() -> test.graph.throttleGroups().add("group", ThrottleLimits.NONE));
    assertNothingIsLeftOf(() -> test.graph.open(Disk.options(description)));
    assertTrue(test.get(() -> test.graph.throttleGroups().require("group")).isEmpty());
  }

  @ParameterizedTest
  @CsvSource({
    "user,drainedBegin",
    "user,awaitStopped",
    "format,drainedBegin",
    "format,preparePermissions",
    "file,preparePermissions",
    "file,makeLane"
  })
  void aChangeOfLinks(String who, String callback) throws Exception {
    test.lane(first, test.io0);
    TestNode filter = test.filter("filter", file);
    failAt(who, callback);
    assertNothingIsLeftOf(() -> test.graph.insertFilter(filter, file));
    assertSame(file, format.children().getFirst().node());
  }

  @ParameterizedTest
  @CsvSource({
    "user,prepareContextChange",
    "user,drainedBegin",
    "user,awaitStopped",
    "format,drainedBegin",
    "file,checkContextChange",
    "file,drainedBegin"
  })
  void aChangeOfContext(String who, String callback) throws Exception {
    failAt(who, callback);
    assertNothingIsLeftOf(() -> ContextChange.run(file, test.io0.context()));
    assertSame(test.mainLoop.context(), file.context());
    test.control(() -> ContextChange.run(file, test.io0.context()));
  }

  @ParameterizedTest
  @CsvSource({
    "user,drainedBegin",
    "format,prepareReopen",
    "file,prepareReopen",
    "file,preparePermissions",
    "format,drainedBegin"
  })
  void aReopening(String who, String callback) throws Exception {
    failAt(who, callback);
    assertNothingIsLeftOf(
        () ->
            test.graph.reopen(
                List.of(
                    Disk.options("driver=test,node-name=file,label=a"),
                    Disk.options("driver=test,node-name=format,label=b"))));
    assertEquals("", file.label);
    assertEquals("", format.label);
  }

  /** What a request never comes back from would be waited for by every section. */
  @Test
  void aRequestThatCannotBeSubmittedFailsAndIsWaitedForByNobody() throws Exception {
    TestNode node = test.node("broken");
    BackendLane lane = test.lane(test.use(node, new User("u")), test.io0);
    OutOfMemoryError failure = new OutOfMemoryError("planted");
    node.onCallback =
        callback -> {
          if (callback.equals("submit")) {
            throw failure;
          }
        };
    TestRequest request = TestRequest.range(BlockRequest.Operation.FLUSH, 0, 0);
    assertSame(failure, assertThrows(Error.class, () -> TestGraph.send(lane, request)));
    assertEquals(-Errno.EIO, request.result.join());
    test.control(() -> DrainedSection.begin(node).close());
    node.onCallback = callback -> {};
    assertEquals(0, TestGraph.send(lane).result.join());
  }

  /** Those behind it go on, and so do those that come later. */
  @Test
  void aHeldRequestThatCannotBeSubmittedHoldsUpNobody() throws Exception {
    TestNode node = test.node("broken");
    BlockBackend backend = test.use(node, new User("u"));
    BackendLane lane = test.lane(backend, test.io0);
    test.control(backend::quiesceBegin);
    node.onCallback =
        callback -> {
          node.onCallback = later -> {};
          throw new Planted();
        };
    List<TestRequest> held = List.of(TestGraph.send(lane), TestGraph.send(lane));
    test.control(backend::quiesceEnd);
    assertEquals(-Errno.EIO, held.getFirst().result.join());
    assertEquals(0, held.getLast().result.join());
    assertEquals(0, TestGraph.send(lane).result.join());
  }

  /** A newcomer is told at once to stand still, and does not take it. */
  @Test
  void aNewUserOfANodeThatStandsStill() throws Exception {
    Thrower newcomer = new Thrower();
    newcomer.throwsAt = "drainedBegin";
    assertNothingIsLeftOf(
        () -> {
          DrainedSection section = DrainedSection.begin(file);
          try (section) {
            new BlockBackend(file, newcomer, TestGraph.READ, Permission.all());
          }
        });
    assertEquals(1, file.parents().size());
  }
}

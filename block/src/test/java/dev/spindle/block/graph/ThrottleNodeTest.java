// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static dev.spindle.block.graph.Throttles.configure;
import static dev.spindle.block.graph.Throttles.endless;
import static dev.spindle.block.graph.Throttles.read;
import static dev.spindle.block.graph.Throttles.settle;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The {@code throttle} driver in a graph. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ThrottleNodeTest extends GraphFixture {
  private TestNode file;
  private ThrottleGroup group;

  @BeforeEach
  void start() throws Exception {
    file = test.node("file");
    group = test.get(() -> test.graph.throttleGroups().add("g", endless()));
  }

  private BlockNode open(String description) throws Exception {
    return test.get(() -> test.graph.open(Disk.options(description)));
  }

  private BackendLane laneOn(BlockNode node) throws Exception {
    return test.lane(test.use(node, new User("u")), test.io0);
  }

  @Test
  void membersOfAGroupShareItsLimits() throws Exception {
    BackendLane one = laneOn(open("driver=throttle,node-name=t1,throttle-group=g,file=file"));
    BackendLane two = laneOn(open("driver=throttle,node-name=t2,throttle-group=g,file=file"));
    assertEquals(0, read(one).result.join());
    TestRequest waiting = read(two);
    settle(test.io0);
    assertFalse(waiting.result.isDone());
    assertEquals(1, test.io0.context().call(two::inFlight));
    assertEquals(0, TestGraph.send(two).result.join(), "a flush is not limited");
    configure(group, ThrottleLimits.NONE);
    assertEquals(0, waiting.result.join());
  }

  @Test
  void aWaitingRequestGoesWhereItWasMeantTo() throws Exception {
    open("driver=throttle,node-name=t,throttle-group=g,file=file");
    BackendLane lane = laneOn(open("driver=raw,node-name=r,offset=64k,size=512k,file=t"));
    TestRequest first = TestRequest.range(Operation.READ, 0, 512 << 10);
    assertEquals(0, TestGraph.send(lane, first).result.join());
    TestRequest waiting = TestGraph.send(lane, TestRequest.range(Operation.READ, 4096, 512));
    settle(test.io0);
    assertFalse(waiting.result.isDone());
    configure(group, ThrottleLimits.NONE);
    assertEquals(0, waiting.result.join());
    assertEquals((64 << 10) + 4096, file.lastOffset);
  }

  @Test
  void inADrainedSectionWhatWaitsPassesWithoutLimits() throws Exception {
    BlockNode throttle = open("driver=throttle,node-name=t,throttle-group=g,file=file");
    BackendLane lane = laneOn(throttle);
    read(lane).result.join();
    TestRequest waiting = read(lane);
    TestRequest next = read(lane);
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(throttle)) {
            assertTrue(waiting.result.isDone() && next.result.isDone());
          }
        });
    TestRequest after = read(lane);
    settle(test.io0);
    assertFalse(after.result.isDone(), "the limits did not count again after the section");
    configure(group, ThrottleLimits.NONE);
    after.result.join();
  }

  /** A section of a node above reaches the filter as well; one that only isolates does not. */
  @Test
  void onlyDrainedSectionsSwitchTheLimitsOff() throws Exception {
    BlockNode throttle = open("driver=throttle,node-name=t,throttle-group=g,file=file");
    TestNode format = test.node("format", throttle, ChildRole.FILTER);
    BackendLane lane = laneOn(format);
    BlockBackend owner = test.use(file, new User("owner"));
    read(lane).result.join();
    TestRequest waiting = read(lane);
    IsolatedSection isolated = test.get(owner::isolate);
    settle(test.io0);
    assertFalse(waiting.result.isDone());
    test.control(isolated::close);
    settle(test.io0);
    assertFalse(waiting.result.isDone());
    test.control(() -> DrainedSection.begin(format).close());
    assertTrue(waiting.result.isDone());
  }

  /**
   * Whoever waits for his own requests waits for no rate, and leaves everybody else's to theirs.
   */
  @Test
  void aQuiescedBackendHasItsRequestsPassAndNobodyElses() throws Exception {
    BlockNode throttle = open("driver=throttle,node-name=t,throttle-group=g,file=file");
    BlockBackend backend = test.use(throttle, new User("u"));
    List<BackendLane> lanes =
        List.of(test.lane(backend, test.io0), test.lane(backend, test.io0), laneOnIo1(backend));
    BackendLane other = laneOn(throttle);
    read(other).result.join();
    List<TestRequest> own = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      own.add(read(lanes.get(i % lanes.size())));
    }
    TestRequest others = read(other);
    test.control(
        () -> {
          backend.quiesceBegin();
          assertTrue(own.stream().allMatch(request -> request.result.isDone()));
        });
    settle(test.io0);
    assertFalse(others.result.isDone(), "another's request passed as well");
    test.control(backend::quiesceEnd);
    TestRequest after = read(lanes.getFirst());
    settle(test.io0);
    assertFalse(after.result.isDone(), "the limits did not count again afterwards");
    test.control(
        () -> {
          backend.quiesceBegin();
          backend.quiesceEnd();
        });
    assertTrue(after.result.isDone());
    configure(group, ThrottleLimits.NONE);
    assertEquals(0, others.result.join());
  }

  private BackendLane laneOnIo1(BlockBackend backend) {
    return test.lane(backend, test.io1);
  }

  /** Through every kind of node that has requests of its own sent for it. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "driver=raw,node-name=top,file=t",
        "driver=raw,node-name=top,offset=4k,file=t",
        "driver=blkdebug,node-name=top,image=t",
        "driver=blkdebug,node-name=top,max-transfer=64k,image=t",
        "driver=copy-on-read,node-name=top,file=t",
        "driver=throttle,node-name=top,throttle-group=g,file=t",
        "driver=quorum,node-name=top,vote-threshold=2,children.0=t,children.1=t2",
        "driver=quorum,node-name=top,vote-threshold=1,read-pattern=fifo,children.0=t2,children.1=t",
        "driver=blkverify,node-name=top,test=t,raw=t2",
        "driver=copy-before-write,node-name=top,file.driver=null-co,file.size=1M,target=t",
      })
  void whateverIsBetween(String description) throws Exception {
    open("driver=throttle,node-name=t,throttle-group=g,file=file");
    TestNode second = test.node("file2");
    open("driver=throttle,node-name=t2,throttle-group=g,file=file2");
    BlockNode top = open(description);
    // Nodes with bitmaps have a lane of their own in between.
    test.control(() -> top.bitmaps().add("bitmap", OptionalLong.of(65536)));
    BlockBackend backend =
        test.get(
            () -> new BlockBackend(top, new User("u"), TestGraph.READ_WRITE, Permission.all()));
    BackendLane lane = test.lane(backend, test.io0);
    List<TestRequest> sent = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      sent.add(TestGraph.send(lane, TestRequest.range(Operation.WRITE_ZEROES, 65536L * i, 65536)));
      sent.add(TestGraph.send(lane, memoryRead(65536L * i)));
    }
    settle(test.io0);
    assertFalse(sent.stream().allMatch(request -> request.result.isDone()));
    test.control(
        () -> {
          backend.quiesceBegin();
          assertTrue(sent.stream().allMatch(request -> request.result.isDone()));
          backend.quiesceEnd();
        });
    assertTrue(file.submitted.get() + second.submitted.get() >= 8);
  }

  private static TestRequest memoryRead(long offset) {
    return TestRequest.transfer(Operation.READ, offset, Io.memory(65536));
  }

  /** A drain waits at the rate, as it does for the backend's own group. */
  @Test
  void aDrainOfABackendSwitchesNothingOff() throws Exception {
    BlockNode throttle = open("driver=throttle,node-name=t,throttle-group=g,file=file");
    BlockBackend backend = test.use(throttle, new User("u"));
    BackendLane lane = test.lane(backend, test.io0);
    read(lane).result.join();
    TestRequest waiting = read(lane);
    CompletableFuture<Boolean> drain =
        test.mainLoop.start(
            "drain",
            () -> {
              backend.drain();
              return waiting.result.isDone();
            });
    for (int turn = 0; turn < 3; turn++) {
      test.mainLoop.context().call(() -> null);
      settle(test.io0);
    }
    assertFalse(drain.isDone());
    assertFalse(waiting.result.isDone());
    configure(group, ThrottleLimits.NONE);
    assertTrue(drain.join());
  }

  @Test
  void followsAChangeOfContextAndLosesNothing() throws Exception {
    BlockNode throttle = open("driver=throttle,node-name=t,throttle-group=g,file=file");
    BackendLane lane = laneOn(throttle);
    read(lane).result.join();
    TestRequest waiting = read(lane);
    test.control(() -> ContextChange.run(throttle, test.io1.context()));
    assertTrue(waiting.result.isDone());
    assertEquals(test.io1.context(), file.context());
    BackendLane moved = test.lane((BlockBackend) throttle.parents().getFirst().parent(), test.io1);
    TestRequest limited = read(moved);
    settle(test.io1);
    assertFalse(limited.result.isDone());
    configure(group, ThrottleLimits.NONE);
    limited.result.join();
  }

  @Test
  void reopensInAnotherGroupAndOnAnotherChild() throws Exception {
    ThrottleGroup other = test.get(() -> test.graph.throttleGroups().add("h", endless()));
    TestNode second = test.node("second");
    BackendLane lane = laneOn(open("driver=throttle,node-name=t,throttle-group=g,file=file"));
    read(lane).result.join();
    TestRequest waiting = read(lane);
    reopen("driver=throttle,node-name=t,throttle-group=h,file=second");
    assertTrue(waiting.result.isDone());
    assertTrue(group.isEmpty());
    assertEquals(0, read(lane).result.join(), "the new group's bucket was empty");
    assertEquals(1, second.submitted.get());
    TestRequest limited = read(lane);
    settle(test.io0);
    assertFalse(limited.result.isDone());
    configure(other, ThrottleLimits.NONE);
    limited.result.join();
  }

  @Test
  void aFailedReopenLeavesItInItsGroup() throws Exception {
    ThrottleGroup other = test.get(() -> test.graph.throttleGroups().add("h", ThrottleLimits.NONE));
    BackendLane lane = laneOn(open("driver=throttle,node-name=t,throttle-group=g,file=file"));
    read(lane).result.join();
    BlockException unknown =
        assertThrows(
            BlockException.class, () -> reopen("driver=throttle,node-name=t,throttle-group=x"));
    assertEquals("Throttle group 'x' does not exist", unknown.getMessage());
    file.refusesReopen = "no";
    assertThrows(
        BlockException.class,
        () -> reopen("driver=throttle,node-name=t,throttle-group=h", "driver=test,node-name=file"));
    assertTrue(other.isEmpty());
    TestRequest limited = read(lane);
    settle(test.io0);
    assertFalse(limited.result.isDone());
    configure(group, ThrottleLimits.NONE);
    limited.result.join();
  }

  @Test
  void namesWhatIsMissingAndKeepsAGroupInUse() throws Exception {
    assertEquals(
        "Throttle group 'x' does not exist",
        assertThrows(
                BlockException.class,
                () -> open("driver=throttle,node-name=t,throttle-group=x,file=file"))
            .getMessage());
    assertEquals(
        "--blockdev: parameter 'throttle-group' is missing",
        assertThrows(OptionException.class, () -> open("driver=throttle,node-name=t,file=file"))
            .getMessage());
    BlockNode throttle = open("driver=throttle,node-name=t,throttle-group=g,file=file");
    assertEquals(
        "object 'g' is in use, can not be deleted",
        assertThrows(
                BlockException.class,
                () -> test.control(() -> test.graph.throttleGroups().remove("g")))
            .getMessage());
    test.control(
        () -> {
          test.graph.close(throttle);
          test.graph.throttleGroups().remove("g");
        });
    assertEquals(List.of(), file.parents());
  }

  private void reopen(String... descriptions) throws Exception {
    test.control(
        () -> {
          List<Options> options = new ArrayList<>();
          for (String description : descriptions) {
            options.add(Disk.options(description));
          }
          test.graph.reopen(options);
        });
  }
}

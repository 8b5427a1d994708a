// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static dev.spindle.block.graph.Throttles.configure;
import static dev.spindle.block.graph.Throttles.endless;
import static dev.spindle.block.graph.Throttles.large;
import static dev.spindle.block.graph.Throttles.limits;
import static dev.spindle.block.graph.Throttles.read;
import static dev.spindle.block.graph.Throttles.settle;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.linux.Errno;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A node throws what nobody has declared when it is given a request that a node above has kept for
 * a while, or has made: the request fails, whoever sent it hears of that, and nobody waits for it.
 */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ThrownRequestTest extends GraphFixture {
  private static final class Planted extends Error {
    private static final long serialVersionUID = 1;
  }

  private TestNode file;
  private ThrottleGroup group;

  @BeforeEach
  void start() throws Exception {
    file = test.node("file");
    group = test.get(() -> test.graph.throttleGroups().add("g", endless()));
  }

  static Stream<Throwable> failures() {
    return Stream.of(
        new Planted(), new OutOfMemoryError("planted"), new IllegalStateException("planted"));
  }

  /**
   * Has a node throw when it is given its {@code count}th request from now on, and then no more.
   */
  private static void failAt(TestNode node, int count, Throwable failure) {
    AtomicInteger left = new AtomicInteger(count);
    node.onCallback =
        callback -> {
          if (callback.equals("submit") && left.decrementAndGet() == 0) {
            switch (failure) {
              case Error error -> throw error;
              default -> throw (RuntimeException) failure;
            }
          }
        };
  }

  private BlockBackend use(String description) throws Exception {
    BlockNode node = test.open(description);
    return test.get(
        () -> new BlockBackend(node, new User("u"), TestGraph.READ_WRITE, Permission.all()));
  }

  private void assertNothingIsOnTheWay(BackendLane lane) throws Exception {
    test.control(() -> DrainedSection.begin(file).close());
    assertEquals(0, lane.context().call(lane::inFlight));
    assertEquals(0, TestGraph.send(lane).result.join());
  }

  /** Those behind it, in its own lane and in another member's, get their turns. */
  @ParameterizedTest
  @MethodSource("failures")
  void belowAThrottleNode(Throwable failure) throws Exception {
    BackendLane one = test.lane(use("driver=throttle,throttle-group=g,file=file"), test.io0);
    BackendLane two = test.lane(use("driver=throttle,throttle-group=g,file=file"), test.io0);
    assertEquals(0, read(one).result.join());
    TestRequest thrown = read(one);
    TestRequest behind = read(one);
    TestRequest others = read(two);
    failAt(file, 1, failure);
    configure(group, limits("iops-total=1000"));
    assertEquals(-Errno.EIO, thrown.result.join());
    assertEquals(0, behind.result.join());
    assertEquals(0, others.result.join());
    assertNothingIsOnTheWay(one);
    assertNothingIsOnTheWay(two);
  }

  /** Whoever waits for it has not failed. */
  @ParameterizedTest
  @MethodSource("failures")
  void whenASectionHasItPass(Throwable failure) throws Exception {
    BlockBackend backend = use("driver=throttle,throttle-group=g,file=file");
    BackendLane lane = test.lane(backend, test.io0);
    assertEquals(0, read(lane).result.join());
    TestRequest thrown = read(lane);
    TestRequest behind = read(lane);
    failAt(file, 1, failure);
    test.control(
        () -> {
          backend.quiesceBegin();
          assertTrue(thrown.result.isDone() && behind.result.isDone());
          backend.quiesceEnd();
        });
    assertEquals(-Errno.EIO, thrown.result.join());
    assertEquals(0, behind.result.join());
    TestRequest after = read(lane);
    settle(test.io0);
    assertFalse(after.result.isDone(), "the limits did not count again");
    configure(group, ThrottleLimits.NONE);
    assertEquals(0, after.result.join());
    assertNothingIsOnTheWay(lane);
  }

  /** A section that fails where one of two ways has its limits switched off already. */
  @Test
  void limitsComeBackAfterASectionThatFailsHalfWay() throws Exception {
    test.open("driver=throttle,node-name=limited,throttle-group=g,file=file");
    TestNode second = test.node("second");
    BlockBackend backend =
        use(
            "driver=quorum,vote-threshold=1,read-pattern=fifo,children.0=limited,children.1=second");
    BackendLane lane = test.lane(backend, test.io0);
    file.keeps = true;
    TestRequest write = TestGraph.send(lane, large(Operation.WRITE_ZEROES));
    second.onHurry =
        () -> {
          throw new Planted();
        };
    assertThrows(Planted.class, () -> test.control(backend::quiesceBegin));
    second.onHurry = () -> {};
    file.keeps = false;
    file.kept.remove().complete(0);
    assertEquals(0, write.result.join());
    TestRequest after = read(lane);
    settle(test.io0);
    assertFalse(after.result.isDone(), "the limits are off for ever");
    configure(group, ThrottleLimits.NONE);
    assertEquals(0, after.result.join());
  }

  @ParameterizedTest
  @ValueSource(strings = {"break-guest-write", "break-snapshot"})
  void whereOldDataIsSaved(String onError) throws Exception {
    TestNode target = test.node("target");
    BackendLane lane =
        test.lane(
            use("driver=copy-before-write,file=file,target=target,on-cbw-error=" + onError),
            test.io0);
    failAt(target, 1, new Planted());
    TestRequest write = TestGraph.send(lane, large(Operation.WRITE_ZEROES));
    assertEquals(onError.equals("break-snapshot") ? 0 : -Errno.EIO, write.result.join());
    assertNothingIsOnTheWay(lane);
  }

  @Test
  void aWriteWhoseOldDataIsSaved() throws Exception {
    test.node("target");
    BackendLane lane = test.lane(use("driver=copy-before-write,file=file,target=target"), test.io0);
    // The first one reads what is to be saved.
    failAt(file, 2, new Planted());
    TestRequest write = TestGraph.send(lane, large(Operation.WRITE_ZEROES));
    assertEquals(-Errno.EIO, write.result.join());
    assertNothingIsOnTheWay(lane);
  }

  /** It does not end before what has been sent to others for it. */
  @ParameterizedTest
  @EnumSource(
      value = Operation.class,
      names = {"READ", "WRITE", "FLUSH"})
  void oneOfSeveralMembers(Operation operation) throws Exception {
    TestNode second = test.node("second");
    BackendLane lane =
        test.lane(
            use("driver=quorum,vote-threshold=2,children.0=file,children.1=second"), test.io0);
    file.keeps = true;
    failAt(second, 1, new Planted());
    TestRequest request =
        TestGraph.send(
            lane,
            operation == Operation.FLUSH
                ? TestRequest.range(operation, 0, 0)
                : TestRequest.transfer(operation, 0, Io.memory(4096)));
    settle(test.io0);
    assertFalse(request.result.isDone(), "the other member still has it");
    file.keeps = false;
    file.kept.remove().complete(0);
    assertEquals(-Errno.EIO, request.result.join());
    assertNothingIsOnTheWay(lane);
  }

  @Test
  void aRequestThatWasSuspended() throws Exception {
    BlockBackend backend = use("driver=blkdebug,image=file");
    BackendLane lane = test.lane(backend, test.io0);
    Breakpoints breakpoints = test.get(() -> Breakpoints.of(backend.node()));
    breakpoints.breakOn(BlkdebugEvent.PWRITEV, "A");
    TestRequest write =
        TestGraph.send(lane, TestRequest.transfer(Operation.WRITE, 0, Io.memory(512)));
    breakpoints.awaitSuspended("A");
    failAt(file, 1, new Planted());
    breakpoints.resume("A");
    assertEquals(-Errno.EIO, write.result.join());
    assertNothingIsOnTheWay(lane);
  }

  /** Nobody sent that one: reopening flushes first. */
  @Test
  void aFlushBeforeReopening() throws Exception {
    failAt(file, 1, new Planted());
    assertEquals(
        "Error flushing node 'file': Input/output error",
        test.reopenRefusal("driver=test,node-name=file,label=a"));
    assertEquals(0, file.openLanes.get());
    test.reopen("driver=test,node-name=file,label=a");
    assertEquals("a", file.label);
  }
}

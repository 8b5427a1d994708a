// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.TestRequest;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What a backend counts, while lanes are opened, used and closed on two contexts, and sections
 * begin and end all the time: its requests in flight, its sections, and the gates of each lane.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BackendCountsTest extends GraphFixture {
  private static final int SECTIONS = 500;

  /** What goes wrong on purpose, to show that it would be noticed. */
  enum Fault {
    NONE,
    /** A lane that is opened in a section does not know of it. */
    OPENS_WITHOUT_A_GATE,
    /** A section that nests ends twice. */
    ENDS_TWICE,
    /** A section does not wait for what is in flight. */
    DOES_NOT_WAIT
  }

  private final AtomicReference<String> violation = new AtomicReference<>();
  private TestNode node;
  private BlockBackend backend;

  /** Whether a section is on, and has been waited for. */
  private volatile boolean still;

  private volatile boolean over;

  @BeforeEach
  void start() throws Exception {
    node = test.node("node");
    backend = test.use(node, new TestGraph.User("u"));
    node.onCallback =
        callback -> {
          if (still && callback.equals("submit")) {
            violation.compareAndSet(null, "a request within a section");
          }
        };
  }

  @Test
  void lanesComeAndGoWhileSectionsBeginAndEnd() throws Exception {
    assertNull(run(Fault.NONE));
    assertFalse(backend.isQuiesced());
    for (IoThread thread : List.of(test.io0, test.io1)) {
      BackendLane lane = test.lane(backend, thread);
      assertEquals(0, TestGraph.send(lane).result.join());
      assertEquals(0, thread.context().call(lane::inFlight));
    }
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void aPlantedFaultIsFound(Fault fault) throws Exception {
    while (run(fault) == null) {
      Thread.onSpinWait();
    }
  }

  /** Returns what went wrong, or null. */
  private String run(Fault fault) throws Exception {
    over = false;
    List<CompletableFuture<Void>> users =
        List.of(
            CompletableFuture.runAsync(() -> use(test.io0, fault)),
            CompletableFuture.runAsync(() -> use(test.io1, fault)));
    for (int i = 0; i < SECTIONS && violation.get() == null; i++) {
      test.control(() -> section(fault));
    }
    over = true;
    users.forEach(CompletableFuture::join);
    return violation.get();
  }

  private void use(IoThread thread, Fault fault) {
    while (!over) {
      List<TestRequest> requests =
          List.of(
              TestRequest.range(BlockRequest.Operation.FLUSH, 0, 0),
              TestRequest.range(BlockRequest.Operation.FLUSH, 0, 0));
      BackendLane lane = thread.context().call(() -> open(thread, fault));
      requests.forEach(request -> TestGraph.send(lane, request));
      requests.forEach(request -> assertEquals(0, request.result.join()));
      thread
          .context()
          .call(
              () -> {
                lane.close();
                return null;
              });
    }
  }

  private BackendLane open(IoThread thread, Fault fault) {
    BackendLane lane = backend.openLane(thread.context());
    if (fault == Fault.OPENS_WITHOUT_A_GATE && backend.isQuiesced()) {
      lane.openGate();
    }
    return lane;
  }

  private void section(Fault fault) {
    if (fault == Fault.DOES_NOT_WAIT) {
      look();
      return;
    }
    backend.quiesceBegin();
    backend.quiesceBegin();
    if (fault == Fault.ENDS_TWICE) {
      backend.quiesceEnd();
    }
    backend.quiesceEnd();
    look();
    if (fault != Fault.ENDS_TWICE) {
      backend.quiesceEnd();
    }
  }

  private void look() {
    still = true;
    for (IoThread thread : List.of(test.io0, test.io1)) {
      // Whatever was about to be sent there has been sent after this.
      thread.context().call(() -> null);
      thread.context().call(() -> null);
    }
    still = false;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph.User;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever happens to a backend's sections, groups, limits and lanes: its reads end in the order in
 * which they were sent, all of them, and none goes down inside a section.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BackendOrderTest {
  private static final int STEPS = 400;

  private final List<Integer> ended = Collections.synchronizedList(new ArrayList<>());
  private final List<TestRequest> sent = new ArrayList<>();

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void readsEndInTheOrderInWhichTheyWereSent(long seed) throws Exception {
    Random random = new Random(seed);
    ThrottleLimits[] limits = {
      ThrottleLimits.NONE, Throttles.limits("iops-total=200"), Throttles.limits("iops-read=5000")
    };
    try (TestGraph test = new TestGraph()) {
      TestNode file = test.node("file");
      BlockBackend backend = test.use(file, new User("u"));
      ThrottleGroup[] groups = {
        Throttles.group("g", limits[1]), Throttles.group("h", limits[2]), null
      };
      BackendLane lane = test.lane(backend, test.io0);
      int sections = 0;
      int submittedBefore = 0;
      for (int step = 0; step < STEPS; step++) {
        switch (random.nextInt(12)) {
          case 0 -> {
            test.control(backend::quiesceBegin);
            if (sections++ == 0) {
              submittedBefore = file.submitted.get();
            }
          }
          case 1, 2 -> {
            if (sections > 0) {
              assertEquals(submittedBefore, file.submitted.get());
              sections--;
              test.control(backend::quiesceEnd);
            }
          }
          case 3 -> test.control(backend::drain);
          case 4 -> {
            ThrottleGroup next = groups[random.nextInt(groups.length)];
            test.control(() -> backend.setThrottle(next));
          }
          case 5 ->
              Throttles.configure(groups[random.nextInt(2)], limits[random.nextInt(limits.length)]);
          case 6 -> lane = move(test, backend, lane, random.nextBoolean() ? test.io0 : test.io1);
          default -> sendOne(lane);
        }
      }
      for (; sections > 0; sections--) {
        test.control(backend::quiesceEnd);
      }
      sent.forEach(request -> assertEquals(0, request.result.join()));
      List<Integer> expected = new ArrayList<>();
      for (int i = 0; i < sent.size(); i++) {
        expected.add(i);
      }
      assertEquals(expected, ended);
      test.control(() -> backend.setThrottle(null));
      assertEquals(sent.size(), file.submitted.get());
    }
  }

  private void sendOne(BackendLane lane) {
    TestRequest request = TestRequest.range(Operation.READ, 0, 512);
    int number = sent.size();
    request.result.thenRun(() -> ended.add(number));
    sent.add(request);
    TestGraph.send(lane, request);
  }

  private static BackendLane move(
      TestGraph test, BlockBackend backend, BackendLane lane, IoThread target) throws Exception {
    BackendLane next = test.lane(backend, target);
    test.control(
        () -> {
          backend.quiesceBegin();
          next.adopt(lane);
          backend.quiesceEnd();
        });
    return next;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;

/** Limits for tests that must not depend on how fast a machine is. */
final class Throttles {
  private static final int LARGE = 1 << 20;

  private Throttles() {}

  /** After one large request the next one waits for twelve days. */
  static ThrottleLimits endless() throws Exception {
    return limits("bps-total=1");
  }

  static ThrottleLimits limits(String text) throws Exception {
    return ThrottleLimits.parse(new Options("test", KeyValues.parse("test", text, null)), "");
  }

  static ThrottleGroup group(String name, ThrottleLimits limits) {
    return new ThrottleGroup(name, limits, System.nanoTime());
  }

  static void configure(ThrottleGroup group, ThrottleLimits limits) {
    group.configure(limits, System.nanoTime());
  }

  /** As many bytes as a test node has. */
  static TestRequest large(Operation operation) {
    return TestRequest.range(operation, 0, LARGE);
  }

  /** Sends a large read. */
  static TestRequest read(BackendLane lane) {
    return TestGraph.send(lane, large(Operation.READ));
  }

  /** Returns after every task and timer that the context had to run by now. */
  static void settle(IoThread thread) {
    for (int turn = 0; turn < 3; turn++) {
      thread.context().call(() -> null);
    }
  }
}

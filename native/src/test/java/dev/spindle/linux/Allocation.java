// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.fail;

import java.lang.reflect.Method;

/** Counts what a thread allocates on the heap. */
public final class Allocation {
  private static final int WINDOWS = 100;
  private static final int RUNS = 5_000;

  /** Something that may throw. */
  @FunctionalInterface
  public interface Action {
    void run() throws Exception;
  }

  private Allocation() {}

  /**
   * Fails if the action keeps allocating on the calling thread however warm it gets. Until the JIT
   * compiler has done its work, calls through method handles allocate; how long that takes depends
   * on the machine, so this goes on until some thousand runs in a row allocate nothing.
   */
  public static void assertNone(Action action) throws Exception {
    // By reflection: the module under test does not read the management modules.
    Object bean =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    Method counter =
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getCurrentThreadAllocatedBytes");
    long allocated = 0;
    for (int window = 0; window < WINDOWS; window++) {
      long before = (Long) counter.invoke(bean);
      for (int i = 0; i < RUNS; i++) {
        action.run();
      }
      allocated = (Long) counter.invoke(bean) - before;
      // Reading the counter allocates a little itself.
      if (allocated < RUNS) {
        return;
      }
    }
    fail(allocated + " bytes in the last " + RUNS + " runs");
  }
}

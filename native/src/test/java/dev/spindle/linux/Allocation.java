// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Method;

/** Counts what a thread allocates on the heap. */
public final class Allocation {
  private static final int WARM_UP = 20_000;
  private static final int MEASURED = 10_000;

  /** Something that may throw. */
  @FunctionalInterface
  public interface Action {
    void run() throws Exception;
  }

  private Allocation() {}

  /**
   * Fails if the action, once it is warm, allocates on the calling thread. Measured over thousands
   * of runs; a stray allocation of the JVM's own on this thread is far below one byte per run.
   */
  public static void assertNone(Action action) throws Exception {
    for (int i = 0; i < WARM_UP; i++) {
      action.run();
    }
    // By reflection: the module under test does not read the management modules.
    Object bean =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    Method counter =
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getCurrentThreadAllocatedBytes");
    // The first readings allocate for themselves.
    counter.invoke(bean);
    counter.invoke(bean);
    long before = (Long) counter.invoke(bean);
    for (int i = 0; i < MEASURED; i++) {
      action.run();
    }
    long allocated = (Long) counter.invoke(bean) - before;
    assertEquals(0, allocated / MEASURED, allocated + " bytes in " + MEASURED + " runs");
  }
}

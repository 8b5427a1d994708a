// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** How many bytes of heap a thread has allocated so far, by the JVM's own account. */
final class ThreadAllocation {
  private ThreadAllocation() {}

  static long of(long threadId) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    return threads.getThreadAllocatedBytes(threadId);
  }
}

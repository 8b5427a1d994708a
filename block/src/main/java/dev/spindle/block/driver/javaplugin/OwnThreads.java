// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Platform threads for the requests of one node, started as they are needed. Further requests wait
 * their turn. Any thread.
 */
final class OwnThreads {
  private static final int MOST = 64;
  private static final int KEPT_SECONDS = 10;

  private final ThreadPoolExecutor threads;

  OwnThreads(String node) {
    this.threads =
        new ThreadPoolExecutor(
            MOST,
            MOST,
            KEPT_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            Thread.ofPlatform().daemon().name("plugin-" + node + "-", 0).factory());
    threads.allowCoreThreadTimeOut(true);
  }

  void execute(Runnable request) {
    threads.execute(request);
  }

  /** Lets the threads go; none is at work. */
  void close() {
    threads.shutdown();
  }
}

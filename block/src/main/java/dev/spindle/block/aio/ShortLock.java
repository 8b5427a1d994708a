// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/**
 * A lock around a few instructions, for whatever contexts' own threads and the virtual threads that
 * they carry share. Nobody parks for it: were it given to a virtual thread next, and the very
 * thread that carries that one waited behind it, both would wait for ever, as happens with {@link
 * java.util.concurrent.locks.ReentrantLock}. (A monitor would do, but at a price: behind a virtual
 * thread the JVM looks only from time to time whether it can be had.) Whoever has it must not wait
 * for anything. Not reentrant. Any thread; not for what runs per request.
 */
public final class ShortLock {
  private static final int SPINS = 100;

  private final AtomicBoolean taken = new AtomicBoolean();

  /** Runs {@code body} while nobody else runs one. */
  public void run(Runnable body) {
    get(
        () -> {
          body.run();
          return null;
        });
  }

  /** As {@link #run}; returns what {@code body} does. */
  public <T> T get(Supplier<T> body) {
    for (int tries = 1; !taken.compareAndSet(false, true); tries++) {
      if (tries % SPINS == 0) {
        // Its holder may have been put off the processor.
        Thread.yield();
      } else {
        Thread.onSpinWait();
      }
    }
    try {
      return body.get();
    } finally {
      taken.set(false);
    }
  }
}

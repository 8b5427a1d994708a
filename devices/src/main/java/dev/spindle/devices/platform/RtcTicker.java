// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * Lets a {@link CmosRtc} raise its interrupts in time: a thread that sleeps until the next. There
 * is none until a guest enables an interrupt, which Linux does only for alarms.
 */
public final class RtcTicker implements AutoCloseable {
  private static final long SECOND_NANOS = 1_000_000_000;

  private final CmosRtc rtc;
  private final InstantSource clock;
  private final Thread thread;
  private boolean started; // with the clock's lock

  /** Set once, by {@link #close}; read by the ticker's thread. */
  private volatile boolean closed;

  /**
   * @param clock the host's clock, the same as the guest's clock has
   */
  public RtcTicker(CmosRtc rtc, InstantSource clock) {
    this.rtc = rtc;
    this.clock = clock;
    thread = Thread.ofPlatform().daemon().name("rtc").unstarted(this::run);
    rtc.onSchedule(this::scheduleChanged);
  }

  private void scheduleChanged() {
    if (started) {
      LockSupport.unpark(thread);
    } else if (!closed && rtc.nextEvent().isPresent()) {
      started = true;
      thread.start();
    }
  }

  private void run() {
    while (!closed) {
      Optional<Instant> next = rtc.nextEvent();
      if (next.isEmpty()) {
        LockSupport.park(this);
        continue;
      }
      Duration delay = Duration.between(clock.instant(), next.get());
      if (delay.isPositive()) {
        // Events are at most a second apart; more means that the host's clock was set back.
        LockSupport.parkNanos(this, delay.toSeconds() > 0 ? SECOND_NANOS : delay.toNanos());
      } else {
        rtc.tick();
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import java.util.function.LongSupplier;

/** Time as the guest's timers count it: it stands still while the machine is stopped. */
final class VirtualClock implements LongSupplier {
  private final LongSupplier host;

  /** Protected by this object's monitor. While running, host time minus guest time. */
  private long offset;

  /** Protected by this object's monitor. */
  private boolean running;

  /** Protected by this object's monitor. Guest time while stopped. */
  private long stoppedAt;

  /**
   * Makes a clock that stands at 0.
   *
   * @param host time of the host in nanoseconds, from any origin
   */
  VirtualClock(LongSupplier host) {
    this.host = host;
  }

  /** Returns nanoseconds of guest time since the machine was made. */
  @Override
  public synchronized long getAsLong() {
    return running ? host.getAsLong() - offset : stoppedAt;
  }

  synchronized void start() {
    if (!running) {
      offset = host.getAsLong() - stoppedAt;
      running = true;
    }
  }

  synchronized void stop() {
    stoppedAt = getAsLong();
    running = false;
  }
}

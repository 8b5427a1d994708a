// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * Decides how long a context polls for one kind of event: longer while events tend to come soon
 * after the poll gave up, not at all while they stay away for longer than polling may last.
 */
final class AdaptivePolling {
  private static final long FIRST_NS = 4_000;

  private final ContextOptions options;
  private final long mostNs;
  private long budgetNs;

  /**
   * Begins without polling.
   *
   * @param mostNs the longest that this kind of event is polled for, in nanoseconds
   */
  AdaptivePolling(ContextOptions options, long mostNs) {
    this.options = options;
    this.mostNs = mostNs;
  }

  /** How long to poll now, in nanoseconds. */
  long budgetNs() {
    return budgetNs;
  }

  /** Polling (if any) found nothing and the context slept for {@code ns} after it. */
  void slept(long ns) {
    long idleNs = budgetNs + ns;
    if (idleNs > mostNs) {
      budgetNs = options.pollShrink() == 0 ? 0 : budgetNs / options.pollShrink();
    } else if (budgetNs < mostNs) {
      long grown =
          budgetNs == 0 ? FIRST_NS : budgetNs * (options.pollGrow() == 0 ? 2 : options.pollGrow());
      budgetNs = Math.min(grown, mostNs);
    }
  }
}

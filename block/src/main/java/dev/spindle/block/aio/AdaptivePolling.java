// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * Decides how long a context polls: longer while events tend to come soon after the poll gave up,
 * not at all while they stay away for longer than polling may last.
 */
final class AdaptivePolling {
  private static final long FIRST_NS = 4_000;

  private final PollOptions options;
  private long budgetNs;

  AdaptivePolling(PollOptions options) {
    this.options = options;
  }

  /** How long to poll now, in nanoseconds. */
  long budgetNs() {
    return budgetNs;
  }

  /** Polling (if any) found nothing and the context slept for {@code ns} after it. */
  void slept(long ns) {
    long idleNs = budgetNs + ns;
    if (idleNs > options.maxNs()) {
      budgetNs = options.shrink() == 0 ? 0 : budgetNs / options.shrink();
    } else if (budgetNs < options.maxNs()) {
      long grown = budgetNs == 0 ? FIRST_NS : budgetNs * (options.grow() == 0 ? 2 : options.grow());
      budgetNs = Math.min(grown, options.maxNs());
    }
  }
}

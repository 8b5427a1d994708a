// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * Decides how long a context polls: longer while events tend to come soon after the poll gave up,
 * not at all while they stay away for longer than polling may last.
 */
final class AdaptivePolling {
  private static final long FIRST_NS = 4_000;

  private final ContextOptions options;
  private long budgetNs;

  AdaptivePolling(ContextOptions options) {
    this.options = options;
  }

  /** How long to poll now, in nanoseconds. */
  long budgetNs() {
    return budgetNs;
  }

  /** Polling (if any) found nothing and the context slept for {@code ns} after it. */
  void slept(long ns) {
    long idleNs = budgetNs + ns;
    if (idleNs > options.pollMaxNs()) {
      budgetNs = options.pollShrink() == 0 ? 0 : budgetNs / options.pollShrink();
    } else if (budgetNs < options.pollMaxNs()) {
      long grown =
          budgetNs == 0 ? FIRST_NS : budgetNs * (options.pollGrow() == 0 ? 2 : options.pollGrow());
      budgetNs = Math.min(grown, options.pollMaxNs());
    }
  }
}

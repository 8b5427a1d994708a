// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

/** What the members' results come to. */
final class Votes {
  private Votes() {}

  /**
   * Success if enough have succeeded; else the error that most report, of those the first.
   *
   * @param results of the members, 0 or negated errnos
   */
  static int outcome(int[] results, int threshold) {
    int successes = count(results, 0);
    if (successes >= threshold) {
      return 0;
    }
    int outcome = 0;
    int most = 0;
    for (int result : results) {
      if (result < 0 && count(results, result) > most) {
        outcome = result;
        most = count(results, result);
      }
    }
    return outcome;
  }

  private static int count(int[] results, int wanted) {
    int count = 0;
    for (int result : results) {
      if (result == wanted) {
        count++;
      }
    }
    return count;
  }
}

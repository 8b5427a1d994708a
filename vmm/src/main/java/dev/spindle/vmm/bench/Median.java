// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import java.util.List;

/** The value in the middle: what a figure of several runs is quoted by. */
public final class Median {
  private Median() {}

  /** Of at least one value; of an even number, the mean of the two in the middle. */
  public static double of(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }
}

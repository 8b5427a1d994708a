// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.util.Collection;
import java.util.Comparator;

/** Finds what a user probably meant by a name that does not exist. */
public final class NearNames {
  private static final int SHORTEST_BEGINNING = 3;

  private static final int MOST_SLIPS = 2;

  private NearNames() {}

  /** {@code " (did you mean 'filename'?)"}, or nothing if no name is near. */
  public static String hint(String given, Collection<String> known) {
    return known.stream()
        .filter(name -> isNear(given, name))
        .min(Comparator.comparingInt((String name) -> distance(given, name)).thenComparing(n -> n))
        .map(name -> " (did you mean '" + name + "'?)")
        .orElse("");
  }

  /** A slip of the finger, the beginning of a longer name, or a dotted name's last part. */
  private static boolean isNear(String given, String name) {
    boolean isBeginning = given.length() >= SHORTEST_BEGINNING && name.startsWith(given);
    return isBeginning
        || name.endsWith("." + given)
        || distance(given, name) <= Math.clamp(given.length() / 3, 1, MOST_SLIPS);
  }

  /** The single-letter changes and swaps of neighbours that turn one into the other. */
  private static int distance(String a, String b) {
    int[][] distances = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      for (int j = 0; j <= b.length(); j++) {
        distances[i][j] = i == 0 || j == 0 ? i + j : distance(a, b, i, j, distances);
      }
    }
    return distances[a.length()][b.length()];
  }

  /** Between the first {@code i} letters of {@code a} and {@code j} of {@code b}, from less. */
  private static int distance(String a, String b, int i, int j, int[][] less) {
    int substituted = less[i - 1][j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
    int least = Math.min(substituted, 1 + Math.min(less[i - 1][j], less[i][j - 1]));
    boolean swapped =
        i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1);
    return swapped ? Math.min(least, less[i - 2][j - 2] + 1) : least;
  }
}

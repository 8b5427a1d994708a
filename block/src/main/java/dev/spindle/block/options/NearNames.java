// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.util.Collection;
import java.util.Comparator;

/** Finds what a user probably meant by a name that does not exist. */
public final class NearNames {
  private static final int SHORTEST_BEGINNING = 3;

  private NearNames() {}

  /** {@code " (did you mean 'filename'?)"}, or nothing if no name is near. */
  public static String hint(String given, Collection<String> known) {
    return known.stream()
        .filter(name -> isNear(given, name))
        .min(Comparator.comparingInt((String name) -> distance(given, name)).thenComparing(n -> n))
        .map(name -> " (did you mean '" + name + "'?)")
        .orElse("");
  }

  /** A slip of the finger, or the beginning of a longer name. */
  private static boolean isNear(String given, String name) {
    boolean isBeginning = given.length() >= SHORTEST_BEGINNING && name.startsWith(given);
    return isBeginning || distance(given, name) <= Math.max(1, given.length() / 3);
  }

  /** Levenshtein's: the single-letter changes that turn one into the other. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}

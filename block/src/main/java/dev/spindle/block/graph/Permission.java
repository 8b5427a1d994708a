// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What a user of a node does with it, or lets others do meanwhile; the order gives QEMU's bit
 * numbers, which are also the offsets of the image lock bytes.
 */
public enum Permission {
  CONSISTENT_READ("consistent read"),
  WRITE("write"),
  WRITE_UNCHANGED("write unchanged"),
  RESIZE("resize");

  private final String words;

  Permission(String words) {
    this.words = words;
  }

  /** As QEMU's messages spell it. */
  public String words() {
    return words;
  }

  /** A set as QEMU's messages spell it: comma-separated. */
  public static String words(Set<Permission> permissions) {
    return permissions.stream().map(Permission::words).collect(Collectors.joining(", "));
  }

  /** A set of no permission, to be filled; it keeps the order. */
  public static Set<Permission> none() {
    return EnumSet.noneOf(Permission.class);
  }

  /** Every permission. */
  public static Set<Permission> all() {
    return EnumSet.allOf(Permission.class);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.EnumSet;
import java.util.Set;

/**
 * What a node needs of one of its children.
 *
 * @param used what the node does with the child
 * @param shared what others may do with the child meanwhile
 */
public record ChildPermissions(Set<Permission> used, Set<Permission> shared) {
  /** Copies the sets. */
  public ChildPermissions {
    used = Set.copyOf(used);
    shared = Set.copyOf(shared);
  }

  /**
   * What follows from the child's roles (as QEMU's bdrv_default_perms has it).
   *
   * @param writable whether the parent writes its metadata of its own accord
   * @param used what the parent's users do with the parent
   * @param shared what they share
   */
  static ChildPermissions of(
      Set<ChildRole> roles, boolean writable, Set<Permission> used, Set<Permission> shared) {
    if (roles.contains(ChildRole.FILTERED)) {
      return new ChildPermissions(used, shared);
    }
    return roles.contains(ChildRole.COW)
        ? backing(used, shared)
        : storage(roles, writable, used, shared);
  }

  /** Nothing is written there; others may change it only where the overlay's users do not mind. */
  private static ChildPermissions backing(Set<Permission> used, Set<Permission> shared) {
    Set<Permission> needed = Permission.none();
    if (used.contains(Permission.CONSISTENT_READ)) {
      needed.add(Permission.CONSISTENT_READ);
    }
    Set<Permission> allowed = EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED);
    if (shared.contains(Permission.WRITE)) {
      allowed.add(Permission.WRITE);
      allowed.add(Permission.RESIZE);
    }
    return new ChildPermissions(needed, allowed);
  }

  private static ChildPermissions storage(
      Set<ChildRole> roles, boolean writable, Set<Permission> used, Set<Permission> shared) {
    Set<Permission> needed = Permission.none();
    needed.addAll(used);
    Set<Permission> allowed = Permission.none();
    allowed.addAll(shared);
    if (roles.contains(ChildRole.METADATA)) {
      needed.add(Permission.CONSISTENT_READ);
      if (writable) {
        needed.add(Permission.WRITE);
        needed.add(Permission.RESIZE);
      }
      allowed.remove(Permission.WRITE);
      allowed.remove(Permission.RESIZE);
    }
    if (roles.contains(ChildRole.DATA)) {
      // A write that changes nothing for the users may still have to allocate.
      if (used.contains(Permission.WRITE_UNCHANGED)) {
        needed.add(Permission.WRITE);
      }
      if (used.contains(Permission.WRITE)) {
        needed.add(Permission.RESIZE);
      }
      allowed.remove(Permission.RESIZE);
    }
    return new ChildPermissions(needed, allowed);
  }
}

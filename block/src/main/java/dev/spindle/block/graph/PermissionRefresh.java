// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.Collection;
import java.util.List;
import java.util.Set;

/**
 * Works out anew who does what with which node, on the graph as it is to be: each node after all of
 * its parents, so that what they need is known. Control side.
 */
final class PermissionRefresh {
  private final Transaction transaction;

  private PermissionRefresh(Transaction transaction) {
    this.transaction = transaction;
  }

  /**
   * Prepares the permissions of some nodes and of all below them.
   *
   * @throws BlockException if users conflict; what was prepared is undone when the transaction
   *     aborts
   */
  static void prepare(Collection<BlockNode> changed, Transaction transaction)
      throws BlockException {
    PermissionRefresh refresh = new PermissionRefresh(transaction);
    for (BlockNode node : NodeOrder.parentsFirst(changed)) {
      refresh.prepare(node);
    }
  }

  private void prepare(BlockNode node) throws BlockException {
    List<BlockEdge> users = node.parents();
    for (BlockEdge user : users) {
      for (BlockEdge other : users) {
        if (user != other) {
          checkShared(node, user, other);
        }
      }
      checkWritable(node, user);
    }
    Set<Permission> used = BlockEdge.usedBy(users);
    Set<Permission> shared = BlockEdge.sharedBy(users);
    transaction.add(node.preparePermissions(used, shared));
    for (BlockEdge child : node.children()) {
      set(child, node.childPermissions(child, used, shared));
    }
  }

  private void set(BlockEdge edge, ChildPermissions next) {
    Set<Permission> used = edge.used();
    Set<Permission> shared = edge.shared();
    edge.setPermissions(next.used(), next.shared());
    transaction.add(
        new Transaction.Action() {
          @Override
          public void abort() {
            edge.setPermissions(used, shared);
          }
        });
  }

  private static void checkShared(BlockNode node, BlockEdge user, BlockEdge other)
      throws BlockException {
    Set<Permission> refused = Permission.none();
    refused.addAll(user.used());
    refused.removeAll(other.shared());
    if (!refused.isEmpty()) {
      throw new BlockException(
          "Permission conflict on node '%s': permissions '%s' are both required by %s and unshared by %s."
              .formatted(
                  node.name(), Permission.words(refused), user.describeUse(), other.describeUse()));
    }
  }

  private static void checkWritable(BlockNode node, BlockEdge user) throws BlockException {
    boolean writes =
        user.used().contains(Permission.WRITE) || user.used().contains(Permission.WRITE_UNCHANGED);
    if (writes && node.readOnly()) {
      throw new BlockException(
          "Read-only block node '%s' does not support read-write users: %s"
              .formatted(node.name(), user.describeUse()));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * A node of the block graph: an image file, a format, a filter. What it is and who holds it is
 * control side; its I/O goes through lanes.
 */
public abstract class BlockNode implements BlockParent {
  private final String name;
  private final String driver;
  private final List<BlockEdge> parents = new ArrayList<>();
  private final List<BlockEdge> children = new ArrayList<>();
  private AioContext context;

  /**
   * Makes a node without parents.
   *
   * @param name its node-name
   * @param driver the driver's name as in {@code driver=…}
   * @param context where its control I/O runs until a parent asks for another
   */
  protected BlockNode(String name, String driver, AioContext context) {
    this.name = name;
    this.driver = driver;
    this.context = context;
  }

  /** The node-name. Any thread. */
  public final String name() {
    return name;
  }

  /** The driver's name. Any thread. */
  public final String driver() {
    return driver;
  }

  /** Length in bytes, a multiple of 512. Any thread. */
  public abstract long length();

  /** Whether writes are refused. Any thread. */
  public abstract boolean readOnly();

  /** Its preferences. Any thread. */
  public abstract BlockLimits limits();

  /**
   * Makes the way for I/O from the calling thread's context. Many contexts may have lanes at once.
   *
   * @param context the caller's
   */
  public abstract BlockLane openLane(AioContext context);

  /** Releases what the node holds; it has no parents and no lanes any more. */
  public abstract void close();

  /**
   * Tells the driver what its users together do and share from now on. Called before the change is
   * final.
   *
   * @throws BlockException if the image cannot be used so, for one because another process holds it
   */
  protected void updatePermissions(Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    for (int i = 0; i < children.size(); i++) {
      BlockEdge before = children.get(i);
      BlockEdge after = new BlockEdge(this, before.role(), before.node(), used, shared);
      before.node().replaceParent(before, after);
      children.set(i, after);
    }
  }

  /** Refuses a context that this driver cannot work in. */
  protected void checkContextChange(AioContext target) throws BlockException {}

  @Override
  public final void prepareContextChange(AioContext target, ContextChange change)
      throws BlockException {
    // A node has no threads of its own: the walk goes on through it.
    change.visit(this);
  }

  @Override
  public final String describe() {
    return "node '" + name + "'";
  }

  /** Where its control I/O runs. Control side. */
  public final AioContext context() {
    return context;
  }

  final void setContext(AioContext target) {
    context = target;
  }

  /** Who holds it. Control side. */
  public final List<BlockEdge> parents() {
    return List.copyOf(parents);
  }

  /** What it holds. Control side. */
  public final List<BlockEdge> children() {
    return List.copyOf(children);
  }

  /**
   * Takes hold of a child, for a driver while it opens.
   *
   * @throws BlockException if the child's other users do not share what this node needs
   */
  protected final void attachChild(
      BlockNode child, String role, Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    BlockEdge edge = new BlockEdge(this, role, child, used, shared);
    child.addParent(edge);
    children.add(edge);
  }

  /** Lets go of every child. */
  protected final void detachChildren() {
    for (BlockEdge edge : children) {
      edge.node().removeParent(edge);
    }
    children.clear();
  }

  /** Adds a user, or refuses with QEMU's sentence and changes nothing. */
  final void addParent(BlockEdge edge) throws BlockException {
    replaceParent(null, edge);
  }

  private void replaceParent(BlockEdge before, BlockEdge after) throws BlockException {
    List<BlockEdge> others = parents.stream().filter(e -> e != before).toList();
    for (BlockEdge other : others) {
      checkConflict(after, other);
      checkConflict(other, after);
    }
    List<BlockEdge> all = new ArrayList<>(others);
    all.add(after);
    updatePermissions(usedBy(all), sharedBy(all));
    parents.remove(before);
    parents.add(after);
  }

  final void removeParent(BlockEdge edge) {
    parents.remove(edge);
    try {
      updatePermissions(usedBy(parents), sharedBy(parents));
    } catch (BlockException e) {
      // Asking for less cannot conflict with anybody.
      throw new IllegalStateException(e);
    }
  }

  private static Set<Permission> usedBy(List<BlockEdge> edges) {
    Set<Permission> used = EnumSet.noneOf(Permission.class);
    edges.forEach(e -> used.addAll(e.used()));
    return used;
  }

  private static Set<Permission> sharedBy(List<BlockEdge> edges) {
    Set<Permission> shared = Permission.all();
    edges.forEach(e -> shared.retainAll(e.shared()));
    return shared;
  }

  private void checkConflict(BlockEdge user, BlockEdge other) throws BlockException {
    Set<Permission> refused = EnumSet.noneOf(Permission.class);
    refused.addAll(user.used());
    refused.removeAll(other.shared());
    if (!refused.isEmpty()) {
      throw new BlockException(
          ("Permission conflict on node '%s': permissions '%s' are both required by %s (uses node"
                  + " '%s' as '%s' child) and unshared by %s (uses node '%s' as '%s' child).")
              .formatted(
                  name,
                  Permission.words(refused),
                  user.parent().describe(),
                  name,
                  user.role(),
                  other.parent().describe(),
                  name,
                  other.role()));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Several images of the same. */
final class QuorumNode extends BlockNode {
  private static final Set<ChildRole> MEMBER = Set.of(ChildRole.DATA);

  private final long length;
  private final OpeningOptions opening;
  private final BlockLimits limits;
  private final QuorumOptions options;
  private final List<BlockEdge> members = new ArrayList<>();
  private final MemberHealth health;

  /** Writes share their range; who puts a child right has it alone. Used if children are. */
  private final RangeLocks repairs = new RangeLocks();

  QuorumNode(String name, OpeningOptions opening, List<BlockNode> children, QuorumOptions options)
      throws BlockException {
    super(name, "quorum", children.getFirst().context());
    this.options = options;
    this.length = children.getFirst().length();
    this.opening = opening;
    int requests = children.stream().mapToInt(c -> c.limits().requestAlignment()).max().orElse(1);
    int memory = children.stream().mapToInt(c -> c.limits().memoryAlignment()).max().orElse(1);
    this.limits = new BlockLimits(requests, memory);
    this.health = new MemberHealth(name, children.stream().map(BlockNode::name).toList());
    try {
      for (BlockNode child : children) {
        members.add(attachChild(child, "children." + members.size(), MEMBER));
      }
    } catch (BlockException | RuntimeException | Error e) {
      detachChildren();
      throw e;
    }
  }

  QuorumOptions options() {
    return options;
  }

  MemberHealth health() {
    return health;
  }

  RangeLocks repairs() {
    return repairs;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public boolean readOnly() {
    return opening.readOnly() || members.stream().anyMatch(edge -> edge.node().readOnly());
  }

  @Override
  public BlockLimits limits() {
    return limits;
  }

  /** Whoever else wrote to one of them would make them differ. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    Set<Permission> needed = Permission.none();
    needed.addAll(used);
    if (options.rewriteCorrupted()) {
      needed.add(Permission.WRITE_UNCHANGED);
    }
    Set<Permission> allowed = Permission.none();
    allowed.addAll(shared);
    allowed.remove(Permission.WRITE);
    allowed.remove(Permission.RESIZE);
    return new ChildPermissions(needed, allowed);
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    return opening.prepareReopen(this, options);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new QuorumLane(
        this, context, openLanes(context, members.stream().map(BlockEdge::node).toList()));
  }

  @Override
  public void close() {
    detachChildren();
  }
}

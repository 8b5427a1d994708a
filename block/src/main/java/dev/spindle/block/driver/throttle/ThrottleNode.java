// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.throttle;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.FilterNode;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleMember;

/**
 * A filter that is one member of a throttle group, whatever the number of its lanes. In a drained
 * section what waits passes without regard to the limits, since whoever drains waits for it: so
 * nothing is waiting when links, contexts or the group change.
 */
final class ThrottleNode extends FilterNode {
  /** Changed by reopening, in a drained section. */
  private ThrottleMember member;

  ThrottleNode(String name, BlockNode file, ThrottleGroup group) throws BlockException {
    super(name, "throttle", "file", file);
    this.member = group.join();
    try {
      takeHold();
    } catch (BlockException | RuntimeException | Error e) {
      member.leave();
      throw e;
    }
  }

  @Override
  protected String detail() {
    return "group " + member.group().name();
  }

  @Override
  protected Runnable drainedBegin() {
    member.drainedBegin(System.nanoTime());
    return () -> {};
  }

  @Override
  protected void drainedEnd() {
    member.drainedEnd(System.nanoTime());
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    ThrottleGroup group = ThrottleDriver.group(graph, options);
    BlockNode next = takeChild(graph, options);
    Transaction.Action opening = super.prepareReopen(graph, options, links);
    Transaction.Action filter = Transaction.both(opening, changeChild(next, links));
    return group == member.group() ? filter : Transaction.both(filter, join(group));
  }

  private Transaction.Action join(ThrottleGroup group) {
    ThrottleMember before = member;
    ThrottleMember after = group.join();
    // Who reopens has begun a section, which the new member will see the end of.
    after.drainedBegin(System.nanoTime());
    member = after;
    return new Transaction.Action() {
      private ThrottleMember unused = after;

      @Override
      public void commit() {
        unused = before;
      }

      @Override
      public void abort() {
        member = before;
      }

      @Override
      public void clean() {
        unused.leave();
      }
    };
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new ThrottleNodeLane(context, member, child().openLane(context));
  }

  @Override
  public void close() {
    super.close();
    member.leave();
  }
}

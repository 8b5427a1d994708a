// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A node that shows what its only child shows, and does something about the requests: as long and
 * with the same wishes as the child, and read-only if the child or the user says so. Reopening
 * changes {@code read-only}; what else can change, a driver says.
 */
public abstract class FilterNode extends BlockNode {
  private final String childName;
  private final BlockNode firstChild;
  private BlockEdge link;

  /** Null for a filter that no user described: its maker's to change. */
  private OpeningOptions opening;

  /**
   * Makes a filter that {@link #takeHold} has to complete.
   *
   * @param childName the driver's word for the child, in options and for the link
   * @param child what it is to stand before at first
   */
  protected FilterNode(String name, String driver, String childName, BlockNode child) {
    super(name, driver, child.context());
    this.childName = childName;
    this.firstChild = child;
  }

  /**
   * Takes hold of the child; the last thing that a constructor does, since the node's hooks for
   * sections and permissions are called from then on.
   */
  protected final void takeHold() throws BlockException {
    link = attachChild(firstChild, childName, ChildRole.FILTER);
  }

  /** Says what the user wanted; before anybody uses the node. Returns the node. */
  public final FilterNode openedWith(OpeningOptions options) {
    opening = options;
    return this;
  }

  /** The node that it stands before. Control side, or any thread while no link changes. */
  protected final BlockNode child() {
    return link == null ? firstChild : link.node();
  }

  @Override
  public final long length() {
    return child().length();
  }

  @Override
  public final boolean readOnly() {
    return (opening != null && opening.readOnly()) || child().readOnly();
  }

  @Override
  public BlockLimits limits() {
    return child().limits();
  }

  @Override
  public final void resize(long newLength) throws BlockException {
    child().resize(newLength);
  }

  @Override
  public final Optional<Path> localFile() {
    return child().localFile();
  }

  /** For reopening: takes the option that names the child, which stays if it is not given. */
  protected final BlockNode takeChild(BlockGraph graph, Options options)
      throws BlockException, OptionException {
    Optional<String> wanted = options.string(childName);
    return wanted.isPresent() ? graph.find(wanted.get()) : child();
  }

  /**
   * For reopening: changes the child. The link is a new one, so that who is prepared after this
   * node goes by the new child already.
   */
  protected final Transaction.Action changeChild(BlockNode next, GraphChange links) {
    if (next == child()) {
      return Transaction.NOTHING;
    }
    BlockEdge before = link;
    links.detach(before);
    link = links.attach(this, childName, ChildRole.FILTER, next);
    return new Transaction.Action() {
      @Override
      public void abort() {
        link = before;
      }
    };
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    return opening == null
        ? super.prepareReopen(graph, options, links)
        : opening.prepareReopen(this, options);
  }

  @Override
  public void close() {
    detachChildren();
  }
}

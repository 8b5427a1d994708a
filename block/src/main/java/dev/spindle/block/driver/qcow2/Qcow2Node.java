// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A node that shows a qcow2 image. */
final class Qcow2Node extends BlockNode {
  private static final Logger LOG = LoggerFactory.getLogger(Qcow2Node.class);

  private final BlockNode firstFile;
  private final AioContext controlContext;
  private final OpeningOptions opening;
  private final AtomicBoolean complained = new AtomicBoolean();
  private BlockEdge file;

  /** Null if there is none. */
  private BlockEdge backing;

  /** Set while the node is opened, before anybody uses it. */
  private Qcow2Image image;

  private ImageWriter writer;

  /**
   * Makes a node that {@link #open} has to complete.
   *
   * @param controlContext the main loop's
   */
  Qcow2Node(String name, BlockNode file, AioContext controlContext, OpeningOptions opening) {
    super(name, "qcow2", file.context());
    this.firstFile = file;
    this.controlContext = controlContext;
    this.opening = opening;
  }

  /** Takes hold of the file and opens the image. */
  void open(Qcow2Options options) throws BlockException {
    file = attachChild(firstFile, "file", ChildRole.IMAGE);
    try {
      BlockLane lane = firstFile.openLane(controlContext);
      try {
        image = Qcow2Image.open(this::warn, new LaneStorage(firstFile, lane), options, !readOnly());
      } finally {
        lane.close();
      }
      writer = new ImageWriter(image);
    } catch (BlockException | RuntimeException | Error e) {
      detachChildren();
      throw e;
    }
  }

  /** Takes hold of what the image reads where it holds nothing; the node is not used yet. */
  void openBacking(BlockNode node) throws BlockException {
    try {
      backing = attachChild(node, "backing", ChildRole.BACKING);
    } catch (BlockException | RuntimeException | Error e) {
      detachChildren();
      throw e;
    }
  }

  Qcow2Image image() {
    return image;
  }

  ImageWriter writer() {
    return writer;
  }

  private void warn(String words) {
    LOG.warn("Node '{}': {}", name(), words);
  }

  /** A request failed. The first time, the log says why: the guest is told only that. */
  void complain(Qcow2Exception reason) {
    if (complained.compareAndSet(false, true)) {
      LOG.warn("Node '{}': {}", name(), reason.getMessage());
    }
  }

  @Override
  public long length() {
    return image == null ? 0 : image.length();
  }

  @Override
  public boolean readOnly() {
    return opening.readOnly() || firstFile.readOnly();
  }

  @Override
  public BlockLimits limits() {
    return new BlockLimits(1, firstFile.limits().memoryAlignment());
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    boolean before = opening.readOnly();
    Transaction.Action change = opening.prepareReopen(this, options);
    if (opening.readOnly() != before) {
      change.abort();
      throw new BlockException("Cannot change the option 'read-only' of a qcow2 node");
    }
    return change;
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    List<BlockNode> nodes = new ArrayList<>(List.of(file.node()));
    if (backing != null) {
      nodes.add(backing.node());
    }
    BlockLane[] lanes = openLanes(context, nodes);
    LaneStorage storage = new LaneStorage(file.node(), lanes[0]);
    LaneBacking below =
        backing == null
            ? null
            : new LaneBacking(new LaneStorage(backing.node(), lanes[1]), lanes[1]);
    return new Qcow2Lane(
        this, context, lanes, lanes[0], lanes[0], new Qcow2Io(storage, storage, below));
  }

  @Override
  public void close() {
    if (image != null && !readOnly()) {
      settle();
    }
    detachChildren();
  }

  private void settle() {
    BlockLane lane = file.node().openLane(controlContext);
    try {
      LaneStorage storage = new LaneStorage(file.node(), lane);
      image.settle(new Qcow2Io(storage, storage, null));
    } catch (Qcow2Exception e) {
      LOG.warn("Node '{}' is closed as it is: {}", name(), e.getMessage());
    } finally {
      lane.close();
    }
  }
}

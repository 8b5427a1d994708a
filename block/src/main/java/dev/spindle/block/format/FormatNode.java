// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.image.DescribedImage;
import dev.spindle.block.image.ImageDescription;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A node that shows an {@link Image}. Requests are straight-line code, as many at a time as come.
 * The image's lock is held while metadata is looked at or changed, never while data is on its way.
 * Clusters are allocated one at a time, those that overlap one after another.
 */
class FormatNode extends BlockNode implements DescribedImage {
  private static final Logger LOG = LoggerFactory.getLogger(FormatNode.class);
  private static final Set<ChildRole> DATA = Set.of(ChildRole.DATA);

  private final BlockNode firstFile;
  private final AioContext controlContext;
  private final OpeningOptions opening;

  /** Whether the format can be written at all, and the image, as far as it is known. */
  private volatile boolean writable;

  private BlockEdge file;

  /** Further files with the image's data. */
  private final List<BlockEdge> others = new ArrayList<>();

  private volatile Image image;

  /** Whether something was written since it was opened, or settled. Set with the lock held. */
  private volatile boolean changed;

  /** Held while the image's methods run. */
  private final ReentrantLock imageLock = new ReentrantLock();

  /** Clusters that somebody is about to allocate. */
  private final RangeLocks allocations = new RangeLocks();

  private final AtomicBoolean complained = new AtomicBoolean();

  FormatNode(
      String name,
      String driver,
      BlockNode file,
      AioContext controlContext,
      OpeningOptions opening,
      boolean writable) {
    super(name, driver, file.context());
    this.firstFile = file;
    this.controlContext = controlContext;
    this.opening = opening;
    this.writable = writable;
  }

  /**
   * Takes hold of the file, opens the image and what it backs onto.
   *
   * @param option null if the format has no backing files
   */
  void open(BlockGraph graph, FormatDriver.Opener opener, BackingOption option)
      throws BlockException, OptionException {
    file = attachChild(firstFile, "file", ChildRole.IMAGE);
    try {
      try (ControlFiles files = controlFiles()) {
        image = opener.open(new ImageOpening(graph, this, firstFile, files));
        if (image.readOnlyReason() != null) {
          writable = false;
        }
        if (!readOnly()) {
          image.beginWrites(files.io());
        }
      }
      if (readOnly()) {
        // It may have been asked for more before it was known what kind of image it is.
        relink();
      }
      if (option != null) {
        Optional<BlockNode> below = option.open(graph, name(), firstFile, image.backing());
        if (below.isPresent()) {
          if (below.get() instanceof FormatNode other) {
            image.checkBacking(other.image());
          }
          attachChild(below.get(), BackingOption.NAME, ChildRole.BACKING);
        }
      }
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      detachChildren();
      throw e;
    }
  }

  /** Adds a file with data; returns its number. */
  int attachFile(String childName, BlockNode node) throws BlockException {
    others.add(attachChild(node, childName, DATA));
    return others.size();
  }

  private BlockNode ownFile() {
    return file == null ? firstFile : file.node();
  }

  private ControlFiles controlFiles() {
    return new ControlFiles(controlContext, files());
  }

  private List<BlockNode> files() {
    List<BlockNode> nodes = new ArrayList<>();
    nodes.add(file.node());
    others.forEach(edge -> nodes.add(edge.node()));
    return nodes;
  }

  Image image() {
    return image;
  }

  boolean isChanged() {
    return changed;
  }

  void setChanged(boolean now) {
    changed = now;
  }

  ReentrantLock imageLock() {
    return imageLock;
  }

  RangeLocks allocations() {
    return allocations;
  }

  /** A request failed. The first time, the log says why: the guest is told only that. */
  void complain(ImageException reason) {
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
    return !writable || opening.readOnly() || ownFile().readOnly();
  }

  @Override
  public BlockLimits limits() {
    return new BlockLimits(1, ownFile().limits().memoryAlignment());
  }

  @Override
  protected String detail() {
    return ownFile().localFile().map(Object::toString).orElse("");
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    Optional<String> wanted = options.optionalNodeName(BackingOption.NAME);
    boolean wasReadOnly = readOnly();
    Transaction.Action change = opening.prepareReopen(this, options);
    try {
      checkReopen(wanted);
      if (!wasReadOnly && readOnly()) {
        settleImage();
      }
      if (wasReadOnly && !readOnly()) {
        beginWrites();
      }
      if (wanted.isPresent()) {
        BackingOption.change(this, wanted.get(), graph, links);
      }
    } catch (BlockException | RuntimeException | Error e) {
      change.abort();
      throw e;
    }
    return change;
  }

  private void checkReopen(Optional<String> wantedBacking) throws BlockException {
    if (!opening.readOnly() && !writable && image.readOnlyReason() != null) {
      throw new BlockException(
          "Node '%s' stays read-only: %s".formatted(name(), image.readOnlyReason()));
    }
    if (wantedBacking.isPresent()
        && BackingChain.backing(this).isEmpty()
        && image.backing().isEmpty()) {
      throw new BlockException("The image of node '" + name() + "' has no backing file");
    }
  }

  private void beginWrites() throws BlockException {
    try (ControlFiles files = controlFiles()) {
      image.beginWrites(files.io());
    }
  }

  /** Something that is done with the image's files on the control side. */
  @FunctionalInterface
  interface FileWork<T> {
    T run(ImageIo io) throws ImageException;
  }

  /** Does something while nobody else looks at metadata. Control side; waits. */
  final <T> T onFiles(FileWork<T> work) throws BlockException {
    imageLock.lock();
    try (ControlFiles files = controlFiles()) {
      return work.run(files.io());
    } finally {
      imageLock.unlock();
    }
  }

  @Override
  public final ImageDescription describeImage() throws BlockException {
    return onFiles(image::describe);
  }

  /** Leaves the image as one that is not in use; nothing is on its way. */
  private void settleImage() throws BlockException {
    if (!changed) {
      return;
    }
    imageLock.lock();
    try (ControlFiles files = controlFiles()) {
      ImageIo io = files.io();
      if (image.settle(io)) {
        for (ImageFile one : io.files()) {
          one.flush();
        }
      }
      changed = false;
    } finally {
      imageLock.unlock();
    }
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    List<BlockNode> nodes = files();
    int count = nodes.size();
    BlockNode backing = BackingChain.backing(this).map(BlockEdge::node).orElse(null);
    if (backing != null) {
      nodes.add(backing);
    }
    BlockLane[] lanes = openLanes(context, nodes);
    List<ImageFile> files = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      files.add(new ImageFile(nodes.get(i), lanes[i]));
    }
    Below below = backing == null ? null : new Below(lanes[count], backing.length());
    return new FormatLane(this, context, lanes, new ImageIo(files), below);
  }

  @Override
  protected void settle() {
    if (image != null && !readOnly()) {
      try {
        settleImage();
      } catch (BlockException e) {
        LOG.warn("Node '{}' is closed as it is: {}", name(), e.getMessage());
      }
    }
  }

  @Override
  public void close() {
    settle();
    detachChildren();
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.bitmap.BitmapStore;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A node of the block graph: an image file, a format, a filter. What it is and who holds it is
 * control side, protected by the control lock; its I/O goes through lanes.
 */
public abstract non-sealed class BlockNode implements BlockParent {
  private static final Logger LOG = LoggerFactory.getLogger(BlockNode.class);

  private final String name;
  private final String driver;
  private final AioContext home;
  private final List<BlockEdge> parents = new ArrayList<>();
  private final List<BlockEdge> children = new ArrayList<>();
  private AioContext context;

  /** Null until somebody asks for them. */
  private DirtyBitmaps bitmaps;

  /** Sections that were begun for it. */
  private final List<DrainedSection> sections = new ArrayList<>();

  /** Sections in which its users send nothing. */
  private int quiesceDepth;

  /** Sections in which it does nothing of its own accord; those above are among them. */
  private int restDepth;

  /**
   * Makes a node without parents.
   *
   * @param name its node-name
   * @param driver the driver's name as in {@code driver=…}
   * @param home where its control I/O runs while no parent asks for another context
   */
  protected BlockNode(String name, String driver, AioContext home) {
    this.name = name;
    this.driver = driver;
    this.home = home;
    this.context = home;
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

  /**
   * Makes the node longer or shorter; what is added reads as zeroes. For straight-line code of a
   * node above that has {@link Permission#RESIZE}, which sees to it that nothing is on its way to
   * what is cut off. The way there need not be made anew.
   *
   * @param newLength in bytes; rounded up to a multiple of 512
   * @throws BlockException if the node cannot change its length, or the host has no room
   */
  public void resize(long newLength) throws BlockException {
    throw new BlockException(
        "Node '%s' cannot be resized: its driver '%s' does not support that"
            .formatted(name, driver));
  }

  /** The file that the node shows as a whole, if it is one on this host. Control side. */
  public Optional<Path> localFile() {
    return Optional.empty();
  }

  /** How its data get to the host's storage: as its first child's do, if it has any. */
  public CacheUse cacheUse() {
    return children().isEmpty() ? CacheUse.NORMAL : children().getFirst().node().cacheUse();
  }

  /** Whether writes are refused. Any thread. */
  public abstract boolean readOnly();

  /** Its preferences. Any thread. */
  public abstract BlockLimits limits();

  /**
   * Makes the way for I/O from the calling thread's context. Many contexts may have lanes at once.
   * A lane is made anew whenever a link below changes, or the node gets its first bitmap.
   *
   * @param context the caller's
   */
  public final BlockLane openLane(AioContext context) {
    BlockLane lane = makeLane(context);
    return bitmaps == null || bitmaps.isEmpty() ? lane : MarkingLane.of(lane, bitmaps);
  }

  /** The driver's part in {@link #openLane}. */
  protected abstract BlockLane makeLane(AioContext context);

  /**
   * Opens a lane to each of several nodes, or to none if that fails with one of them: for {@link
   * #makeLane}.
   *
   * @return the lanes in the order of the nodes
   */
  protected static BlockLane[] openLanes(AioContext context, List<BlockNode> nodes) {
    List<BlockLane> lanes = new ArrayList<>();
    try {
      for (BlockNode node : nodes) {
        lanes.add(node.openLane(context));
      }
      return lanes.toArray(BlockLane[]::new);
    } catch (RuntimeException | Error e) {
      lanes.forEach(BlockLane::close);
      throw e;
    }
  }

  /** Its dirty bitmaps, which all that is written to it marks, from any context. Control side. */
  public final DirtyBitmaps bitmaps() {
    if (bitmaps == null) {
      bitmaps = new DirtyBitmaps(this::length, bitmapUnit(), this::relink, bitmapStore());
    }
    return bitmaps;
  }

  /** What new bitmaps follow in their granularity: the format's clusters, bytes; 0 for none. */
  protected long bitmapUnit() {
    return 0;
  }

  /** Where its persistent bitmaps live on. */
  protected BitmapStore bitmapStore() {
    return BitmapStore.none(name);
  }

  /** Whether bitmaps allow another length. */
  final void checkBitmapsResizable() throws BlockException {
    if (bitmaps != null) {
      bitmaps.checkResizable();
    }
  }

  /**
   * Has the bitmaps follow the node's length; what is added to them is clean.
   *
   * @return takes it back
   */
  final Runnable resizeBitmaps() throws BlockException {
    return bitmaps == null || bitmaps.size() == length() ? () -> {} : bitmaps.resize(length());
  }

  /**
   * Refuses another length while there are bitmaps: they would miss what is written past their end.
   */
  final void checkBitmapsFit() throws BlockException {
    if (bitmaps != null && bitmaps.size() != length()) {
      throw new BlockException(
          "Cannot resize node '%s' from %d to %d bytes: it has dirty bitmaps"
              .formatted(name, bitmaps.size(), length()));
    }
  }

  /**
   * Has permissions worked out and requests go a way that is made now; waits for those in flight.
   */
  protected final void relink() throws BlockException {
    GraphChange change = new GraphChange();
    change.touch(this);
    change.run();
  }

  /**
   * Writes what the node still holds back, since it may be for reading alone from now on. Called
   * before it is reopened, if it is writable, with nothing on its way to it.
   *
   * @throws BlockException if that cannot be written; the node is not reopened then
   */
  protected void writeBack() throws BlockException {}

  /** What tells it from others of its driver, in a few words for a picture, or nothing. */
  protected String detail() {
    return "";
  }

  /**
   * Writes what the node still holds back, and does whatever else of its end may take long, as a
   * failing disk or somebody else's code likes. Nothing is on its way to it; {@link #close} is
   * next, and does the same where nobody has called this. Control work, beside that of other nodes
   * that do not use this one: the graph stays as it is.
   */
  protected void settle() {}

  /** Releases what the node holds; it has no parents and no lanes any more. */
  public abstract void close();

  /**
   * What the node needs of a child. The default follows the child's roles.
   *
   * @param used what the node's users do with it
   * @param shared what they share
   */
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    return ChildPermissions.of(child.roles(), !readOnly(), used, shared);
  }

  /**
   * Prepares for what the node's users together will do and share. Called on every change near the
   * node, whether or not its permissions change by it.
   *
   * @return the change, already prepared
   * @throws BlockException if the image cannot be used so, for one because another process holds
   *     it; nothing has changed then
   */
  protected Transaction.Action preparePermissions(Set<Permission> used, Set<Permission> shared)
      throws BlockException {
    return Transaction.NOTHING;
  }

  /**
   * Prepares to go on with other options, as if it were opened with them now. The node stands
   * still. What is prepared is in force at once, so that the permissions can be worked out on it;
   * the action's abort takes it back.
   *
   * @param graph where new children are looked up
   * @param options the new ones, all of them; the caller refuses those that are left
   * @param links takes the children that are to be replaced
   * @throws BlockException if that is not possible; nothing has changed then
   * @throws OptionException if an option is missing or has no such value
   */
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    throw new BlockException(
        "Block driver '%s' used by node '%s' does not support reopening".formatted(driver, name));
  }

  /**
   * There is memory in which requests may have their buffers, for a driver that hands it on to
   * another process. Control side; may wait. What cannot be handed on is copied.
   */
  protected void memoryShared(SharedMemory memory) {}

  /** Ends {@link #memoryShared}; nothing is on its way from or to that memory. */
  protected void memoryUnshared(SharedMemory memory) {}

  /** Refuses a context that this driver cannot work in. */
  protected void checkContextChange(AioContext target) throws BlockException {}

  /**
   * Tells the driver to begin nothing of its own accord, and to let go the requests that it holds
   * back. Called when the first section begins. Must not wait.
   *
   * @return waits until nothing is going on that no user's request stands for
   */
  protected Runnable drainedBegin() {
    return () -> {};
  }

  /** The last section has ended. Must not wait. */
  protected void drainedEnd() {}

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

  /** Changes where its control I/O runs; an abort takes it back. */
  final Transaction.Action move(AioContext target) {
    AioContext before = context;
    context = target;
    return new Transaction.Action() {
      @Override
      public void abort() {
        context = before;
      }
    };
  }

  final AioContext home() {
    return home;
  }

  /** Who holds it. Control side. */
  public final List<BlockEdge> parents() {
    return List.copyOf(parents);
  }

  /** What it holds. Control side. */
  public final List<BlockEdge> children() {
    return List.copyOf(children);
  }

  /** How many sections keep its users from sending anything. Control side. */
  public final int quiesceDepth() {
    return quiesceDepth;
  }

  /**
   * Takes hold of a child, for a driver while it opens.
   *
   * @throws BlockException if the child's other users do not share what this node needs
   */
  protected final BlockEdge attachChild(BlockNode child, String edgeName, Set<ChildRole> roles)
      throws BlockException {
    GraphChange change = new GraphChange();
    BlockEdge edge = change.attach(this, edgeName, roles, child);
    change.run();
    return edge;
  }

  /** Lets go of every child, for a driver while it closes. */
  protected final void detachChildren() {
    GraphChange change = new GraphChange();
    children.forEach(change::detach);
    try {
      change.run();
    } catch (BlockException e) {
      // Asking for less cannot conflict with anybody, and nobody relies on a node without users.
      throw new IllegalStateException(e);
    }
  }

  @Override
  public final void quiesceBegin(List<QuiesceWait> waits) {
    if (quiesceDepth++ > 0) {
      return;
    }
    try {
      restBegin(waits);
    } catch (RuntimeException | Error e) {
      quiesceDepth--;
      throw e;
    }
    try {
      parents.forEach(edge -> edge.beginQuiescence(waits));
    } catch (RuntimeException | Error e) {
      QuiesceWait.afterFailure(waits, e);
      quiesceEnd();
      throw e;
    }
  }

  @Override
  public final void quiesceEnd() {
    if (--quiesceDepth == 0) {
      restEnd();
      parents.forEach(BlockEdge::endQuiescence);
    }
  }

  /** Keeps the node from doing anything of its own accord, and leaves its users alone. */
  final void restBegin(List<QuiesceWait> waits) {
    if (restDepth++ == 0) {
      Runnable still;
      try {
        still = drainedBegin();
      } catch (RuntimeException | Error e) {
        restDepth--;
        throw e;
      }
      waits.add(
          new QuiesceWait() {
            @Override
            public void awaitStill() {
              still.run();
            }
          });
    }
  }

  final void restEnd() {
    if (--restDepth == 0) {
      try {
        drainedEnd();
      } catch (RuntimeException | Error e) {
        // Others want to go on as well.
        LOG.error("{} failed at the end of a section", describe(), e);
      }
    }
  }

  /** Adds a user; the result takes it away. */
  final Runnable addParent(BlockEdge edge) {
    return insert(parents, parents.size(), edge);
  }

  /** Takes a user away; the result puts it back where it was. */
  final Runnable removeParent(BlockEdge edge) {
    return remove(parents, edge);
  }

  /** Adds a child; the result takes it away. */
  final Runnable addChild(BlockEdge edge) {
    return insert(children, children.size(), edge);
  }

  /** Takes a child away; the result puts it back where it was. */
  final Runnable removeChild(BlockEdge edge) {
    return remove(children, edge);
  }

  private static Runnable insert(List<BlockEdge> edges, int index, BlockEdge edge) {
    edges.add(index, edge);
    return () -> edges.remove(edge);
  }

  private static Runnable remove(List<BlockEdge> edges, BlockEdge edge) {
    int index = edges.indexOf(edge);
    edges.remove(index);
    return () -> edges.add(index, edge);
  }

  /** Adds the node and all below it. */
  final void addSubtree(Set<BlockNode> nodes) {
    if (nodes.add(this)) {
      children.forEach(edge -> edge.node().addSubtree(nodes));
    }
  }

  /** Adds the node and all above it. */
  final void addAncestry(Set<BlockNode> nodes) {
    if (nodes.add(this)) {
      for (BlockEdge edge : parents) {
        if (edge.parent() instanceof BlockNode parent) {
          parent.addAncestry(nodes);
        }
      }
    }
  }

  /** The sections that are on for it, to be added to and taken from. */
  final List<DrainedSection> sections() {
    return sections;
  }

  /** Adds the backends whose requests come here. */
  final void addBackends(Set<BlockBackend> backends) {
    for (BlockEdge edge : parents) {
      switch (edge.parent()) {
        case BlockBackend backend -> backends.add(backend);
        case BlockNode parent -> parent.addBackends(backends);
      }
    }
  }
}

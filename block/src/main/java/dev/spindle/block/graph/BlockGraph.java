// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.object.UserObjects;
import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroups;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * The nodes by name, and the drivers that make them. Control side: protected by the control lock.
 */
public final class BlockGraph {
  private static final String NODE_NAME = "[A-Za-z][A-Za-z0-9._-]{0,30}";

  private final MainLoop mainLoop;
  private final Map<String, BlockNode> nodes = new LinkedHashMap<>();

  /** The names of nodes whose children are being opened. */
  private final Set<String> opening = new HashSet<>();

  /** What nodes were opened with, for those that a user described. */
  private final Descriptions descriptions = new Descriptions();

  private final Map<String, BlockDriver> drivers = BlockDrivers.load();
  private final ThrottleGroups throttleGroups = new ThrottleGroups();
  private final UserObjects objects = new UserObjects();
  private int generated;

  /** Sections for every node; those that have ended are taken out when it is looked at next. */
  private final List<DrainedSection> allQuiesced = new ArrayList<>();

  /** See {@link #isForDescribing}. */
  private boolean forDescribing;

  /** Memory that every node has been told of. */
  private final List<SharedMemory> sharedMemory = new ArrayList<>();

  /** Makes an empty graph controlled from {@code mainLoop}. */
  public BlockGraph(MainLoop mainLoop) {
    this.mainLoop = mainLoop;
  }

  /** The main loop's context: home of every node that no device has taken elsewhere. */
  public AioContext mainContext() {
    return mainLoop.context();
  }

  /** The drivers that nodes can have, by name. Any thread. */
  public Map<String, BlockDriver> drivers() {
    return drivers;
  }

  /** The throttle groups that nodes and backends may join. */
  public ThrottleGroups throttleGroups() {
    return throttleGroups;
  }

  /** The user's objects that nodes may refer to: secrets, credentials. */
  public UserObjects objects() {
    return objects;
  }

  /** Has nodes opened from now on to be described, and not for their data. Control side. */
  public void openForDescribing() {
    forDescribing = true;
  }

  /** Whether nodes are opened only to be described: what no secret is given for stays closed. */
  public boolean isForDescribing() {
    return forDescribing;
  }

  /**
   * Opens a node as {@code --blockdev} describes it.
   *
   * @param options {@code driver}, {@code node-name} and what the driver takes
   * @throws BlockException if it cannot be opened
   * @throws OptionException if the description is wrong; nothing is left open either way
   */
  public BlockNode open(Options options) throws BlockException, OptionException {
    return open(newName(options.string("node-name")), options);
  }

  /** Opens a child that has been described in its parent's options, and may have no name there. */
  BlockNode openChild(String parent, String role, Options options)
      throws BlockException, OptionException {
    Optional<String> given = options.string("node-name");
    return open(given.isPresent() ? checkNewName(given.get()) : childName(parent, role), options);
  }

  /** A name that tells where the child belongs, with a number where that is taken. */
  private String childName(String parent, String role) {
    String name = (parent.startsWith("#") ? parent : "#" + parent) + "." + role;
    return isTaken(name) ? name + "#" + generated++ : name;
  }

  private boolean isTaken(String name) {
    return nodes.containsKey(name) || opening.contains(name);
  }

  private BlockNode open(String name, Options options) throws BlockException, OptionException {
    mainLoop.assertControl();
    String driverName = options.require("driver");
    BlockDriver driver = drivers.get(driverName);
    if (driver == null) {
      throw new BlockException(
          "Unknown driver '" + driverName + "'" + NearNames.hint(driverName, drivers.keySet()));
    }
    Map<String, String> given = Map.copyOf(options.peekAll());
    BlockDriver.Description description = driver.read(options);
    options.finish();
    Set<BlockNode> before = new LinkedHashSet<>(nodes.values());
    opening.add(name);
    try {
      BlockNode node = add(description.open(this, name));
      descriptions.set(node, given);
      return node;
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      try {
        closeThoseSince(before);
      } catch (BlockException | RuntimeException | Error cleaning) {
        e.addSuppressed(cleaning);
      }
      throw e;
    } finally {
      opening.remove(name);
    }
  }

  /** Closes what was opened for a node that could not be: its children. */
  private void closeThoseSince(Set<BlockNode> before) throws BlockException {
    List<BlockNode> since = nodes.values().stream().filter(node -> !before.contains(node)).toList();
    for (BlockNode node : NodeOrder.parentsFirst(since)) {
      if (!before.contains(node)) {
        close(node);
      }
    }
  }

  /**
   * A name for a new node.
   *
   * @param given what the user wants, if anything
   * @throws BlockException if that is no node-name, or in use
   */
  public String newName(Optional<String> given) throws BlockException {
    return given.isPresent() ? checkNewName(given.get()) : "#block" + generated++;
  }

  /**
   * Adds a node that was made otherwise than by a driver's name; returns it. Control side.
   *
   * @param node with a name that {@link #newName} gave
   */
  public <N extends BlockNode> N add(N node) {
    if (nodes.putIfAbsent(node.name(), node) != null) {
      throw new IllegalStateException("there is a node '" + node.name() + "' already");
    }
    allQuiesced.removeIf(DrainedSection::hasEnded);
    allQuiesced.forEach(section -> section.join(node));
    sharedMemory.forEach(node::memoryShared);
    return node;
  }

  /**
   * Tells every node, those too that come later, of memory in which requests have their buffers,
   * for those that hand it on to another process. Control side; waits.
   */
  public void share(SharedMemory memory) {
    mainLoop.assertControl();
    sharedMemory.add(memory);
    nodes.values().forEach(node -> node.memoryShared(memory));
  }

  /** Ends {@link #share}: nothing is on its way from or to that memory. Control side; waits. */
  public void unshare(SharedMemory memory) {
    mainLoop.assertControl();
    if (sharedMemory.remove(memory)) {
      nodes.values().forEach(node -> node.memoryUnshared(memory));
    }
  }

  private String checkNewName(String name) throws BlockException {
    if (!name.matches(NODE_NAME)) {
      throw new BlockException(
          "Invalid node-name: '"
              + name
              + "' (a letter, then at most 30 letters, digits, '-', '.' or '_')");
    }
    if (isTaken(name)) {
      throw new BlockException("Duplicate nodes with node-name='" + name + "'");
    }
    return name;
  }

  /** Finds a node by name. */
  public BlockNode find(String name) throws BlockException {
    BlockNode node = nodes.get(name);
    if (node == null) {
      throw new BlockException(
          "Failed to find node with node-name='"
              + name
              + "'"
              + NearNames.hint(name, nodes.keySet()));
    }
    return node;
  }

  /**
   * Gives several nodes other options and other children, all or none (QAPI's blockdev-reopen).
   *
   * @param wanted one for each node: {@code node-name}, {@code driver}, and everything that its
   *     driver takes; what is left out gets its default
   * @throws BlockException if that is not possible; nothing has changed then
   * @throws OptionException if a description is wrong; nothing has changed then
   */
  public void reopen(List<Options> wanted) throws BlockException, OptionException {
    mainLoop.assertControl();
    new Reopen(this, wanted).run().forEach(descriptions::set);
  }

  /** A node, and the nodes that hold its image, as far as they are opened for reading alone. */
  public List<BlockNode> readOnlyFiles(BlockNode node) {
    return descriptions.readOnlyFiles(node);
  }

  /**
   * Opens nodes for writing, or for reading alone, all or none, and leaves all else as it is.
   * Control side; waits.
   *
   * @throws BlockException if that is not possible; nothing has changed then
   */
  public void setReadOnly(List<BlockNode> changed, boolean readOnly) throws BlockException {
    List<Options> options = new ArrayList<>();
    for (BlockNode node : changed) {
      options.add(descriptions.with(node, readOnly));
    }
    try {
      reopen(options);
    } catch (OptionException e) {
      throw new BlockException(e.getMessage(), e);
    }
  }

  /**
   * Changes the length of a node for one of its users, who has {@link Permission#RESIZE}: the
   * others have agreed to that. Waits for what is on its way.
   *
   * @param length in bytes
   * @throws BlockException if the node cannot change its length, or there is no room
   */
  public void resize(BlockBackend user, long length) throws BlockException {
    mainLoop.assertControl();
    BlockNode node = user.node();
    if (!user.root().used().contains(Permission.RESIZE)) {
      throw new BlockException("permission 'resize' is not used by " + user.describe());
    }
    try (DrainedSection section = DrainedSection.begin(List.of(node))) {
      long before = node.length();
      Set<BlockNode> below = new LinkedHashSet<>();
      node.addSubtree(below);
      Set<BlockNode> concerned = new LinkedHashSet<>();
      below.forEach(one -> one.addAncestry(concerned));
      node.checkBitmapsResizable();
      node.resize(length);
      Deque<Runnable> undo = new ArrayDeque<>();
      try {
        for (BlockNode one : concerned) {
          undo.push(one.resizeBitmaps());
        }
        GraphChange change = new GraphChange();
        below.forEach(change::touch);
        change.run();
      } catch (BlockException e) {
        undo.forEach(Runnable::run);
        node.resize(before);
        throw e;
      }
    }
  }

  /**
   * As {@link #resize(BlockBackend, long)}, for somebody who uses the node for nothing else.
   *
   * @param who how errors name him
   */
  public void resize(BlockNode node, long length, String who) throws BlockException {
    BlockBackend user =
        new BlockBackend(node, () -> who, EnumSet.of(Permission.RESIZE), Permission.all());
    try {
      resize(user, length);
    } finally {
      user.close();
    }
  }

  /**
   * Puts a filter before a node: whoever used the node uses the filter.
   *
   * @param filter stands on the node already
   */
  public void insertFilter(BlockNode filter, BlockNode node) throws BlockException {
    mainLoop.assertControl();
    GraphChange change = new GraphChange();
    change.replace(node, filter);
    change.run();
  }

  /** Takes a filter out: whoever used it uses the node that it stands before, and it is closed. */
  public void removeFilter(BlockNode filter) throws BlockException {
    mainLoop.assertControl();
    BlockEdge below = filteredChild(filter);
    GraphChange change = new GraphChange();
    change.replace(filter, below.node());
    change.run();
    close(filter);
  }

  private static BlockEdge filteredChild(BlockNode filter) throws BlockException {
    for (BlockEdge edge : filter.children()) {
      if (edge.roles().contains(ChildRole.FILTERED)) {
        return edge;
      }
    }
    throw new BlockException("Node '" + filter.name() + "' is not a filter");
  }

  /** Every node, in the order of opening. */
  public List<BlockNode> nodes() {
    return List.copyOf(nodes.values());
  }

  /**
   * Closes a node that nobody uses.
   *
   * @throws BlockException if somebody does
   */
  public void close(BlockNode node) throws BlockException {
    mainLoop.assertControl();
    if (!node.parents().isEmpty()) {
      throw inUse(node, node.parents().getFirst());
    }
    nodes.remove(node.name());
    descriptions.forget(node);
    // A section that is on for it has nothing to end there any more.
    List.copyOf(node.sections()).forEach(section -> section.leave(node));
    node.close();
  }

  /**
   * Closes a node that nobody uses and no user has named, and likewise what it stood on then; any
   * other stays.
   */
  public void closeUnused(BlockNode node) {
    if (nodes.get(node.name()) != node
        || !node.name().startsWith("#")
        || !node.parents().isEmpty()) {
      return;
    }
    List<BlockNode> below = node.children().stream().map(BlockEdge::node).toList();
    try {
      close(node);
    } catch (BlockException e) {
      throw new IllegalStateException(e);
    }
    below.forEach(this::closeUnused);
  }

  /**
   * Begins a time in which every node stands still, those too that are added meanwhile. For what
   * truly concerns all of them; whoever means one disk begins a section for its node.
   */
  public DrainedSection quiesceAll() {
    mainLoop.assertControl();
    DrainedSection section = DrainedSection.begin(nodes.values());
    allQuiesced.removeIf(DrainedSection::hasEnded);
    allQuiesced.add(section);
    return section;
  }

  /**
   * Closes every node, users before what they use. What may take long is done for all of them side
   * by side before: one that hangs does not keep others from writing what they hold back.
   *
   * @throws BlockException if a backend still holds one; nothing is closed then
   */
  public void closeAll() throws BlockException {
    closeAll(_ -> {});
  }

  /**
   * As {@link #closeAll()}.
   *
   * @param left is told which nodes are not done, as often as that changes
   */
  public void closeAll(Consumer<List<BlockNode>> left) throws BlockException {
    mainLoop.assertControl();
    List<BlockNode> parentsFirst = NodeOrder.parentsFirst(nodes.values());
    for (BlockNode node : parentsFirst) {
      for (BlockEdge edge : node.parents()) {
        if (!(edge.parent() instanceof BlockNode above && nodes.containsValue(above))) {
          throw inUse(node, edge);
        }
      }
    }
    SettlingNodes.settle(mainLoop, parentsFirst, left);
    for (BlockNode node : parentsFirst) {
      left.accept(List.of(node));
      close(node);
    }
  }

  private static BlockException inUse(BlockNode node, BlockEdge edge) {
    return new BlockException(
        "Node '" + node.name() + "' is in use by " + edge.parent().describe());
  }
}

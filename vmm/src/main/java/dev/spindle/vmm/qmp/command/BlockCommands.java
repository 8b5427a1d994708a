// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;
import static dev.spindle.vmm.qmp.QmpCommand.listOf;
import static dev.spindle.vmm.qmp.QmpCommand.one;
import static dev.spindle.vmm.qmp.QmpCommand.query;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockDrivers;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.CacheUse;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.vmm.json.JsonOptions;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.qmp.OptionArguments;
import dev.spindle.vmm.qmp.QapiName;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.StrOrNull;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/** Nodes and iothreads (QAPI: block-core.json, misc.json). */
public final class BlockCommands {
  /** A node that is to be: QAPI's BlockdevOptions. */
  public record BlockdevOptions(ObjectNode values) implements OptionArguments {
    @Override
    public String tag() {
      return "driver";
    }

    @Override
    public Map<String, OptionList.Reader> readers() {
      Map<String, OptionList.Reader> readers = new TreeMap<>();
      BlockDrivers.load().forEach((name, driver) -> readers.put(name, driver::read));
      return readers;
    }
  }

  /** The name of a node. */
  public record NodeName(String nodeName) {}

  /** What {@code blockdev-reopen} changes, all or nothing. */
  public record ReopenArguments(List<ObjectNode> options) {}

  /**
   * Arguments of {@code x-blockdev-set-iothread}.
   *
   * @param nodeName a node of the graph that is to move: a disk's, or one below it
   * @param iothread null for the main loop
   * @param force accepted, as in QEMU; it makes no difference
   */
  public record MoveArguments(String nodeName, StrOrNull iothread, Optional<Boolean> force) {}

  /** An iothread: QAPI's IOThreadInfo, as far as it is known. */
  public record IoThreadInfo(
      String id, long pollMaxNs, long pollGrow, long pollShrink, long aioMaxBatch) {}

  /** What a node shows: QAPI's ImageInfo, as far as it is known. */
  public record ImageInfo(String filename, String format, long virtualSize) {}

  /** How caches are used: QAPI's BlockdevCacheInfo. */
  public record Cache(boolean writeback, boolean direct, boolean noFlush) {}

  /** A node: QAPI's BlockDeviceInfo, as far as it is known. */
  public record NodeInfo(
      String nodeName,
      boolean ro,
      String drv,
      String file,
      ImageInfo image,
      Optional<List<BitmapCommands.DirtyInfo>> dirtyBitmaps,
      Cache cache,
      long bps,
      @QapiName("bps_rd") long bpsRead,
      @QapiName("bps_wr") long bpsWrite,
      long iops,
      @QapiName("iops_rd") long iopsRead,
      @QapiName("iops_wr") long iopsWrite,
      Optional<String> group,
      @QapiName("x-spindle-iothread") String context) {}

  private BlockCommands() {}

  /** The declarations. */
  public static List<QmpCommand<BlockLayer, ?, ?>> all() {
    return List.of(
        query(
            "query-iothreads",
            listOf(IoThreadInfo.class),
            "Lists the iothreads. Difference: threads of a JVM have no thread-id to tell.",
            BlockCommands::ioThreads),
        query(
            "query-named-block-nodes",
            listOf(NodeInfo.class),
            "Lists the nodes. x-spindle-iothread names the iothread that a node is at home in.",
            BlockCommands::nodes),
        query(
            "x-debug-query-block-graph",
            one(GraphInfo.class),
            "Tells how nodes and their users hang together.",
            GraphInfo::of),
        action("blockdev-add", BlockdevOptions.class, "Opens a node.", BlockCommands::add),
        action(
            "blockdev-del", NodeName.class, "Closes a node that nobody uses.", BlockCommands::del),
        action(
            "blockdev-reopen",
            ReopenArguments.class,
            "Gives nodes other options and other children, all or none.",
            BlockCommands::reopen),
        action(
            "x-blockdev-set-iothread",
            MoveArguments.class,
            "Moves a node, and all that hangs together with it, to another iothread, while its"
                + " users go on. Difference: QEMU refuses that for nodes in use.",
            BlockCommands::move));
  }

  private static List<IoThreadInfo> ioThreads(BlockLayer layer) {
    List<IoThreadInfo> infos = new ArrayList<>();
    for (IoThread thread : layer.ioThreads()) {
      infos.add(
          new IoThreadInfo(
              thread.id(),
              thread.options().pollMaxNs(),
              thread.options().pollGrow(),
              thread.options().pollShrink(),
              thread.options().maxBatch()));
    }
    return infos;
  }

  private static List<NodeInfo> nodes(BlockLayer layer) {
    return layer.graph().nodes().stream().map(BlockCommands::node).toList();
  }

  /** What is told of a node, and of the limits of a disk that is on it. */
  static NodeInfo node(BlockNode node) {
    String file = node.localFile().map(Object::toString).orElse("");
    List<BitmapCommands.DirtyInfo> bitmaps =
        node.bitmaps().query().stream().map(BitmapCommands.DirtyInfo::of).toList();
    CacheUse cache = node.cacheUse();
    Optional<BlockBackend> limited = limited(node);
    ThrottleLimits limits =
        limited.map(backend -> backend.throttleGroup().limits()).orElse(ThrottleLimits.NONE);
    return new NodeInfo(
        node.name(),
        node.readOnly(),
        node.driver(),
        file,
        new ImageInfo(file, node.driver(), node.length()),
        bitmaps.isEmpty() ? Optional.empty() : Optional.of(bitmaps),
        new Cache(!writeThrough(node), cache.direct(), cache.noFlush()),
        limits.bpsTotal().average(),
        limits.bpsRead().average(),
        limits.bpsWrite().average(),
        limits.iopsTotal().average(),
        limits.iopsRead().average(),
        limits.iopsWrite().average(),
        limited.map(backend -> backend.throttleGroup().name()),
        node.context().name());
  }

  private static Stream<BlockBackend> backends(BlockNode node) {
    return node.parents().stream()
        .map(BlockEdge::parent)
        .filter(BlockBackend.class::isInstance)
        .map(BlockBackend.class::cast);
  }

  private static Optional<BlockBackend> limited(BlockNode node) {
    return backends(node).filter(backend -> backend.throttleGroup() != null).findFirst();
  }

  private static boolean writeThrough(BlockNode node) {
    return backends(node).anyMatch(BlockBackend::writeThrough);
  }

  private static void add(BlockLayer layer, BlockdevOptions arguments)
      throws BlockException, OptionException {
    Options options = arguments.options("blockdev-add");
    if (options.peek("node-name").isEmpty()) {
      throw options.missing("node-name");
    }
    layer.graph().open(options);
  }

  private static void del(BlockLayer layer, NodeName node) throws BlockException {
    layer.graph().close(layer.graph().find(node.nodeName()));
  }

  private static void move(BlockLayer layer, MoveArguments given) throws BlockException {
    BlockNode node = layer.graph().find(given.nodeName());
    AioContext target =
        given.iothread().text().isPresent()
            ? layer.ioThread(given.iothread().text().get()).context()
            : layer.mainLoop().context();
    ContextChange.run(node, target);
  }

  private static void reopen(BlockLayer layer, ReopenArguments arguments)
      throws BlockException, OptionException {
    List<Options> descriptions = new ArrayList<>();
    for (ObjectNode object : arguments.options()) {
      JsonOptions flat = JsonOptions.of("blockdev-reopen", object);
      descriptions.add(new Options("blockdev-reopen", flat.values(), flat.notText()));
    }
    layer.graph().reopen(descriptions);
  }
}

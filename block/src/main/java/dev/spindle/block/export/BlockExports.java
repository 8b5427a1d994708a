// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** The exports by id, and the servers that they are reached through. Control side. */
public final class BlockExports {
  private final MainLoop mainLoop;
  private final BlockGraph graph;
  private final ContextFinder ioThreads;
  private final Map<String, ExportType> types;
  private final Map<String, BlockExport> exports = new LinkedHashMap<>();
  private final List<ExportServer> servers = new ArrayList<>();
  private final List<String> unflushed = new ArrayList<>();

  /** Begins without any. */
  public BlockExports(MainLoop mainLoop, BlockGraph graph, ContextFinder ioThreads) {
    this(mainLoop, graph, ioThreads, ExportTypes.load());
  }

  BlockExports(
      MainLoop mainLoop, BlockGraph graph, ContextFinder ioThreads, Map<String, ExportType> types) {
    this.mainLoop = mainLoop;
    this.graph = graph;
    this.ioThreads = ioThreads;
    this.types = types;
  }

  /** The loop that control work runs on. */
  public MainLoop mainLoop() {
    return mainLoop;
  }

  /** The nodes that can be served, and the user's objects. */
  public BlockGraph graph() {
    return graph;
  }

  /**
   * Opens an export as {@code --export} describes it.
   *
   * @param options {@code type}, those of {@link ExportOptions}, and what the type takes
   * @throws BlockException if it cannot be opened
   * @throws OptionException if the description is wrong; nothing is left open either way
   */
  public BlockExport open(Options options) throws BlockException, OptionException {
    mainLoop.assertControl();
    String typeName = options.require("type");
    ExportType type = types.get(typeName);
    if (type == null) {
      throw new OptionException(
          options.owner()
              + ": unknown export type '"
              + typeName
              + "'"
              + NearNames.hint(typeName, types.keySet()));
    }
    ExportOptions common = ExportOptions.take(options);
    ExportType.Description description = type.read(options);
    options.finish();
    if (exports.containsKey(common.id())) {
      throw new BlockException("Block export id '" + common.id() + "' is already in use");
    }
    BlockNode node = graph.find(common.nodeName());
    Optional<AioContext> wanted = Optional.empty();
    if (common.ioThread().isPresent()) {
      wanted = Optional.of(ioThreads.find(common.ioThread().get()));
    }
    BlockExport export = description.open(new ExportSite(this, common, node, wanted));
    exports.put(common.id(), export);
    return export;
  }

  /**
   * Finds an export.
   *
   * @throws BlockException if there is none
   */
  public BlockExport find(String id) throws BlockException {
    BlockExport export = exports.get(id);
    if (export == null) {
      throw new BlockException("Export '" + id + "' is not found");
    }
    return export;
  }

  /** All of them, in the order of opening. */
  public List<BlockExport> all() {
    return List.copyOf(exports.values());
  }

  /**
   * Ends an export, its clients' connections included; waits until what they wrote is durable.
   *
   * @throws BlockException if there is none
   */
  public void close(String id) throws BlockException {
    mainLoop.assertControl();
    find(id).close();
    exports.remove(id);
  }

  /** Adds a server that exports opened from now on may be reached through. */
  public void addServer(ExportServer server) {
    mainLoop.assertControl();
    servers.add(server);
  }

  /** The server of a kind, if there is one. */
  public <T extends ExportServer> Optional<T> server(Class<T> kind) {
    return servers.stream().filter(kind::isInstance).map(kind::cast).findFirst();
  }

  /** As {@link #closeAll(Consumer)}, with nobody to tell. */
  public void closeAll() {
    closeAll(_ -> {});
  }

  /**
   * Ends everything: the servers take no more clients, then every export ends, the last one first,
   * then the servers. One that fails does not keep others.
   *
   * @param step is told what comes next, {@code closing export 'e' of node 'n'}: it may take as
   *     long as the node's requests do
   */
  public void closeAll(Consumer<String> step) {
    mainLoop.assertControl();
    RuntimeException failure = null;
    for (ExportServer server : servers) {
      step.accept("closing the " + server.describe());
      failure = attempt(server::stopListening, failure);
    }
    for (BlockExport export : all().reversed()) {
      step.accept("closing export '%s' of node '%s'".formatted(export.id(), export.node().name()));
      failure = attempt(export::close, failure);
      exports.remove(export.id());
    }
    for (ExportServer server : List.copyOf(servers).reversed()) {
      step.accept("closing the " + server.describe());
      failure = attempt(server::close, failure);
      servers.remove(server);
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** Notes that what clients of an export wrote could not be made durable. */
  void unflushed(String sentence) {
    unflushed.add(sentence);
  }

  /**
   * A sentence for each export that has ended without what its clients wrote being durable. Control
   * side.
   */
  public List<String> unflushed() {
    mainLoop.assertControl();
    return List.copyOf(unflushed);
  }

  private static RuntimeException attempt(Runnable close, RuntimeException before) {
    try {
      close.run();
      return before;
    } catch (RuntimeException e) {
      if (before == null) {
        return e;
      }
      before.addSuppressed(e);
      return before;
    }
  }
}

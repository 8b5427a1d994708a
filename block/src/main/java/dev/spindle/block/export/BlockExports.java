// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.aio.Outcome;
import dev.spindle.block.graph.BackendFlush;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The exports by id, and the servers that they are reached through. Control side, but for what ends
 * them.
 */
public final class BlockExports {
  private static final Logger LOG = LoggerFactory.getLogger(BlockExports.class);

  private final MainLoop mainLoop;
  private final BlockGraph graph;
  private final ContextFinder ioThreads;
  private final Map<String, ExportType> types;
  private final Map<String, BlockExport> exports = new LinkedHashMap<>();
  private final List<ExportServer> servers = new ArrayList<>();
  private final List<String> unflushed = new ArrayList<>();
  private final List<Consumer<BlockExport>> endListeners = new ArrayList<>();

  /** Those that are ending, and until when. By control work. */
  private final Map<BlockExport, CompletableFuture<Void>> ends = new HashMap<>();

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

  /** Whether an export is ending: it takes no more clients, and will soon not be there. */
  public boolean isEnding(BlockExport export) {
    mainLoop.assertControl();
    return ends.containsKey(export);
  }

  /** Has somebody told of each export that has ended; on the control side, must not wait. */
  public void onEnded(Consumer<BlockExport> listener) {
    mainLoop.assertControl();
    endListeners.add(listener);
  }

  /** All of them, in the order of opening. */
  public List<BlockExport> all() {
    return List.copyOf(exports.values());
  }

  /**
   * Ends an export, its clients' connections included; waits until what they wrote is durable. Any
   * thread that may wait, but no control work: whatever else is to be done goes on meanwhile, other
   * exports' ends included.
   *
   * @throws BlockException if there is none, or it is ending already
   */
  public void close(String id) throws BlockException {
    close(id, true);
  }

  /**
   * As {@link #close}, unless clients use it.
   *
   * @throws BlockException also if they do; they go on then
   */
  public void closeUnused(String id) throws BlockException {
    close(id, false);
  }

  private void close(String id, boolean evenInUse) throws BlockException {
    assertNotControl();
    CompletableFuture<Void> end =
        mainLoop.<CompletableFuture<Void>, BlockException>control(
            "close-export",
            () -> {
              BlockExport export = find(id);
              if (ends.containsKey(export)) {
                throw new BlockException("Export '" + id + "' is already shutting down");
              }
              if (!evenInUse && export.isInUse()) {
                throw new BlockException("export '" + id + "' still in use");
              }
              return beginEnd(export);
            });
    Outcome.<Void, RuntimeException>of(end);
  }

  /**
   * Ends a server and all exports that are reached through it. From the start on, no export that is
   * opened finds it. Any thread that may wait, but no control work.
   */
  public void close(ExportServer server) {
    assertNotControl();
    List<CompletableFuture<Void>> over =
        mainLoop.control(
            "stop-listening",
            () -> {
              servers.remove(server);
              server.stopListening();
              return all().stream()
                  .filter(export -> export.server().filter(server::equals).isPresent())
                  .map(this::beginEnd)
                  .toList();
            });
    RuntimeException failure = join(over);
    failure = attempt(() -> control("close-server", server::close), failure);
    if (failure != null) {
      throw failure;
    }
  }

  /** Waits for all of them; returns the first failure, or null. */
  private static RuntimeException join(List<CompletableFuture<Void>> ends) {
    RuntimeException failure = null;
    for (CompletableFuture<Void> end : ends) {
      failure = attempt(() -> Outcome.<Void, RuntimeException>of(end), failure);
    }
    return failure;
  }

  private void assertNotControl() {
    if (mainLoop.inControl()) {
      throw new IllegalStateException("an export that ends waits for others' control work");
    }
  }

  /** Has an export end on a thread of its own, unless it does so already. */
  private CompletableFuture<Void> beginEnd(BlockExport export) {
    return ends.computeIfAbsent(
        export,
        _ -> {
          CompletableFuture<Void> over = new CompletableFuture<>();
          mainLoop
              .context()
              .startVirtual(
                  "end-" + export.id(),
                  () -> {
                    try {
                      end(export);
                      over.complete(null);
                    } catch (RuntimeException | Error e) {
                      over.completeExceptionally(e);
                    }
                  });
          return over;
        });
  }

  /** The control lock is free for others whenever this waits for clients' requests or the node. */
  private void end(BlockExport export) {
    try {
      CompletableFuture<Void> still = mainLoop.control("stop-export", export::stop);
      Outcome.<Void, RuntimeException>of(still);
      Optional<BackendFlush> flush =
          mainLoop.<Optional<BackendFlush>, RuntimeException>control(
              "disconnect-export",
              () -> {
                export.close();
                return export.site().beginFlush(export.backend());
              });
      flush.ifPresent(BackendFlush::await);
      control(
          "release-export",
          () -> {
            flush.ifPresent(over -> flushed(export, over));
            export.backend().close();
          });
    } finally {
      control(
          "forget-export",
          () -> {
            exports.remove(export.id());
            ends.remove(export);
            endListeners.forEach(listener -> listener.accept(export));
          });
    }
  }

  private void flushed(BlockExport export, BackendFlush flush) {
    flush.close();
    int result = flush.await();
    if (result != 0) {
      String sentence =
          "what clients of export '%s' wrote to node '%s' may be lost: flushing it failed: %s"
              .formatted(export.id(), export.node().name(), Errno.message(-result));
      LOG.error("{}", sentence);
      unflushed.add(sentence);
    }
  }

  private void control(String what, Runnable body) {
    mainLoop.<Void, RuntimeException>control(
        what,
        () -> {
          body.run();
          return null;
        });
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
   * Ends everything: the servers take no more clients, then all exports end side by side, then the
   * servers. One that fails does not keep others, nor does one that hangs, but for the servers. Any
   * thread that may wait, but no control work.
   *
   * @param step is told what it waits for, {@code closing export 'e' of node 'n'}, and if there are
   *     several, those that are left: it may take as long as the nodes' requests do
   */
  public void closeAll(Consumer<String> step) {
    assertNotControl();
    List<Runnable> work = new ArrayList<>();
    List<ExportServer> open = mainLoop.control("servers", () -> List.copyOf(servers));
    for (ExportServer server : open) {
      work.add(
          () -> {
            step.accept("closing the " + server.describe());
            control("stop-listening", server::stopListening);
          });
    }
    work.add(() -> endAll(step));
    for (ExportServer server : open.reversed()) {
      work.add(
          () -> {
            step.accept("closing the " + server.describe());
            control("close-server", () -> closeAndForget(server));
          });
    }
    RuntimeException failure = null;
    for (Runnable part : work) {
      failure = attempt(part, failure);
    }
    if (failure != null) {
      throw failure;
    }
  }

  private void closeAndForget(ExportServer server) {
    try {
      server.close();
    } finally {
      servers.remove(server);
    }
  }

  private void endAll(Consumer<String> step) {
    EndingExports ending = new EndingExports(step);
    List<CompletableFuture<Void>> over =
        mainLoop.control(
            "close-exports",
            () -> {
              List<BlockExport> all = all().reversed();
              ending.begin(all);
              return all.stream()
                  .map(export -> beginEnd(export).whenComplete((_, _) -> ending.ended(export)))
                  .toList();
            });
    RuntimeException failure = join(over);
    if (failure != null) {
      throw failure;
    }
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

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.aio.Outcome;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.export.BlockExport;
import dev.spindle.block.export.ExportServer;
import dev.spindle.block.export.ExportSite;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.StoppingParts;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.NbdStream;
import dev.spindle.block.nbd.TransmissionFlags;
import dev.spindle.linux.LinuxException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A node that NBD clients use. Each client's requests are carried out on the node's context, and
 * follow it when it moves. Control side, where nothing else is said.
 */
final class NbdExport implements BlockExport, OfferedExport {
  private static final int PREFERRED_BLOCK = 4096;
  private static final int FIRST_BITMAP_CONTEXT = 2;

  /** How long an export that is closed waits for a client to take some of what it asked for. */
  private static final int LAST_ANSWERS_SECONDS = 2;

  /** How often it does so, as long as they take any. */
  private static final int LAST_ANSWERS_ROUNDS = 5;

  private final ExportSite site;
  private final NbdExportOptions options;
  private final String name;
  private final NbdServer server;
  private final MainLoop mainLoop;
  private final BlockBackend backend;

  /** Where the bitmaps are. */
  private final BlockNode bitmapNode;

  private final List<DirtyBitmap> reserved = new ArrayList<>();
  private final List<MetaContext> contexts = new ArrayList<>();
  private final List<NbdConnection> connections = new ArrayList<>();
  private AioContext context;
  private boolean closed;

  /**
   * Makes an export, which clients can choose at once.
   *
   * @throws BlockException if the node, or one of the bitmaps, cannot be used so, or the name is
   *     taken
   */
  NbdExport(ExportSite site, NbdExportOptions options, NbdServer server) throws BlockException {
    this.site = site;
    this.options = options;
    this.name = options.name().orElse(site.options().nodeName());
    this.server = server;
    this.mainLoop = site.mainLoop();
    this.bitmapNode = site.node();
    mainLoop.assertControl();
    if (server.hasExport(name)) {
      throw new BlockException("NBD server already has export named '" + name + "'");
    }
    this.backend = site.openBackend(this);
    this.context = site.node().context();
    try {
      findContexts();
    } catch (BlockException | RuntimeException | Error e) {
      releaseBitmaps();
      backend.close();
      throw e;
    }
    server.add(this);
  }

  private void findContexts() throws BlockException {
    contexts.add(new MetaContext.Allocation(0));
    if (options.allocationDepth()) {
      contexts.add(new MetaContext.AllocationDepth(1));
    }
    for (String bitmapName : options.bitmaps()) {
      DirtyBitmaps bitmaps = bitmapNode.bitmaps();
      DirtyBitmap bitmap = bitmaps.require(bitmapName);
      if (bitmapNode.readOnly() && bitmap.recording()) {
        throw new BlockException(
            "Enabled bitmap '" + bitmapName + "' incompatible with readonly export");
      }
      bitmaps.reserve(bitmap);
      reserved.add(bitmap);
      contexts.add(
          new MetaContext.Bitmap(
              FIRST_BITMAP_CONTEXT + reserved.size() - 1, bitmapName, bitmap.bits()));
    }
  }

  private void releaseBitmaps() {
    reserved.forEach(bitmap -> bitmapNode.bitmaps().release(bitmap));
    reserved.clear();
  }

  @Override
  public ExportSite site() {
    return site;
  }

  @Override
  public String type() {
    return NbdExportType.NAME;
  }

  @Override
  public boolean isInUse() {
    return connections.stream().anyMatch(connection -> !connection.gone().isDone());
  }

  @Override
  public Optional<ExportServer> server() {
    return Optional.of(server);
  }

  @Override
  public BlockBackend backend() {
    return backend;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String description() {
    return options.description();
  }

  @Override
  public long size() {
    return node().length();
  }

  @Override
  public int transmissionFlags() {
    int flags =
        TransmissionFlags.HAS_FLAGS
            | TransmissionFlags.SEND_FLUSH
            | TransmissionFlags.SEND_FUA
            | TransmissionFlags.SEND_CACHE;
    // All clients come to the same node: there is nothing that one has and another does not see.
    flags |= server.options().maxConnections() == 1 ? 0 : TransmissionFlags.CAN_MULTI_CONN;
    return writable()
        ? flags
            | TransmissionFlags.SEND_TRIM
            | TransmissionFlags.SEND_WRITE_ZEROES
            | TransmissionFlags.SEND_FAST_ZERO
        : flags | TransmissionFlags.READ_ONLY;
  }

  /** The export has to consist of whole blocks: parts of the node's are written by the node. */
  @Override
  public BlockSizes blockSizes() {
    int whole = (int) Math.min(Long.lowestOneBit(size() | 1L << 30), 1 << 30);
    int minimum = Math.min(node().limits().requestAlignment(), whole);
    return new BlockSizes(
        minimum, Math.max(PREFERRED_BLOCK, minimum), BlockSizes.DEFAULT.maximumPayload());
  }

  @Override
  public List<MetaContext> contexts() {
    return contexts;
  }

  /**
   * Serves a client from now on. On a virtual thread of the main loop; waits.
   *
   * @return false if the export has been removed meanwhile
   * @throws LinuxException if there is no memory for the client's requests
   */
  boolean attach(String name, NbdStream stream, ClientTerms terms) throws LinuxException {
    return mainLoop.control("attach-" + name, () -> begin(name, stream, terms));
  }

  private boolean begin(String name, NbdStream stream, ClientTerms terms) throws LinuxException {
    if (closed) {
      return false;
    }
    NbdConnection connection = new NbdConnection(name, stream, terms, size());
    connection.setLane(openLane(context));
    connections.add(connection);
    connection
        .gone()
        .thenRun(
            () -> {
              server.connectionGone();
              mainLoop.start("detach-" + name, () -> forget(connection));
            });
    if (!backend.isQuiesced()) {
      start(connection);
    }
    return true;
  }

  private Void forget(NbdConnection connection) {
    if (connections.remove(connection)) {
      connection.lane().closeInContext();
    }
    return null;
  }

  private BackendLane openLane(AioContext home) {
    return home.call(() -> backend.openLane(home));
  }

  private void start(NbdConnection connection) {
    long length = size();
    connection.lane().context().execute(() -> connection.start(length));
  }

  @Override
  public Runnable drainedBegin() {
    StoppingParts stopping = new StoppingParts();
    for (NbdConnection connection : connections) {
      stopping.stop(connection.lane().context(), connection::stop);
    }
    return stopping::await;
  }

  @Override
  public void drainedEnd() {
    connections.forEach(this::start);
  }

  @Override
  public void prepareContextChange(AioContext target, ContextChange change) {
    change.add(new Move(target));
  }

  @Override
  public CompletableFuture<Void> stop() {
    mainLoop.assertControl();
    closed = true;
    server.remove(this);
    CompletableFuture<Void> still = new CompletableFuture<>();
    // In a section nobody is answered.
    List<NbdConnection> asked = backend.isQuiesced() ? List.of() : List.copyOf(connections);
    mainLoop
        .context()
        .startVirtual(
            "answer-" + id(),
            () -> {
              try {
                answerAll(asked);
                CompletableFuture<Void> idle = mainLoop.control("idle", () -> idle(asked));
                Outcome.<Void, RuntimeException>of(idle);
                still.complete(null);
              } catch (RuntimeException | Error e) {
                still.completeExceptionally(e);
              }
            });
    return still;
  }

  @Override
  public void close() {
    mainLoop.assertControl();
    backend.quiesceBegin();
    List<NbdConnection> ended = List.copyOf(connections);
    connections.clear();
    try {
      for (NbdConnection connection : ended) {
        connection
            .lane()
            .context()
            .call(
                () -> {
                  connection.endNow();
                  return null;
                });
        connection.gone().join();
        connection.lane().closeInContext();
      }
    } finally {
      backend.quiesceEnd();
    }
    releaseBitmaps();
  }

  /**
   * Has clients be answered what they have asked for, and disconnected, but for those who take too
   * long. Not control work: others' goes on meanwhile.
   */
  private void answerAll(List<NbdConnection> asked) {
    mainLoop.control("finish", () -> finish(asked));
    CompletableFuture<?>[] gone =
        asked.stream().map(NbdConnection::gone).toArray(CompletableFuture[]::new);
    long before;
    int round = 0;
    do {
      before = sends(asked);
      CompletableFuture.allOf(gone)
          .completeOnTimeout(null, LAST_ANSWERS_SECONDS, TimeUnit.SECONDS)
          .join();
    } while (++round < LAST_ANSWERS_ROUNDS && sends(asked) > before);
  }

  private static Void finish(List<NbdConnection> asked) {
    for (NbdConnection connection : asked) {
      connection.lane().context().execute(connection::finish);
    }
    return null;
  }

  /** Completed when neither requests nor status queries are under way. */
  private CompletableFuture<Void> idle(List<NbdConnection> asked) {
    List<CompletableFuture<Void>> still = new ArrayList<>();
    still.add(backend.idle());
    for (NbdConnection connection : asked) {
      CompletableFuture<Void> told = new CompletableFuture<>();
      still.add(told);
      connection
          .lane()
          .context()
          .execute(() -> connection.whenStatusTold(() -> told.complete(null)));
    }
    return CompletableFuture.allOf(still.toArray(CompletableFuture[]::new));
  }

  private long sends(List<NbdConnection> asked) {
    return mainLoop.control(
        "sends",
        () ->
            asked.stream().mapToLong(client -> client.lane().context().call(client::sends)).sum());
  }

  /** The export's own part in a move: its clients, and their requests that wait. */
  private final class Move implements Transaction.Action {
    private final AioContext target;
    private final List<NbdConnection> moved = List.copyOf(connections);

    /** By position in {@link #moved}: the new lane, and after the commit the old one. */
    private final List<BackendLane> unused = new ArrayList<>();

    Move(AioContext target) {
      this.target = target;
      moved.forEach(connection -> unused.add(openLane(target)));
    }

    @Override
    public void commit() {
      for (int i = 0; i < moved.size(); i++) {
        NbdConnection connection = moved.get(i);
        BackendLane old = connection.lane();
        BackendLane lane = unused.get(i);
        lane.adopt(old);
        connection.setLane(lane);
        unused.set(i, old);
      }
      context = target;
    }

    @Override
    public void clean() {
      unused.forEach(BackendLane::closeInContext);
    }
  }
}

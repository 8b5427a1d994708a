// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.TransmissionFlags;
import dev.spindle.block.options.OptionException;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A node that NBD clients use. Each client's requests are carried out on the node's context, and
 * follow it when it moves. Control side, where nothing else is said.
 */
public final class NbdExport implements BackendUser, OfferedExport {
  private static final Logger LOG = LoggerFactory.getLogger(NbdExport.class);
  private static final int PREFERRED_BLOCK = 4096;

  private final String id;
  private final NbdExportOptions options;
  private final NbdServer server;
  private final MainLoop mainLoop;
  private final BlockBackend backend;
  private final BlockNode node;
  private final List<DirtyBitmap> reserved = new ArrayList<>();
  private final List<MetaContext> contexts = new ArrayList<>();
  private final List<NbdConnection> connections = new ArrayList<>();
  private AioContext context;
  private boolean closed;

  /**
   * Makes an export, which clients can choose at once.
   *
   * @param id how the user names it
   * @throws BlockException if the node, or one of the bitmaps, cannot be used so
   * @throws OptionException if the name is taken, or the protocol has no room for it
   */
  public NbdExport(String id, BlockNode node, NbdExportOptions options, NbdServer server)
      throws BlockException, OptionException {
    this.id = id;
    this.options = options;
    this.server = server;
    this.mainLoop = server.mainLoop();
    this.node = node;
    mainLoop.assertControl();
    options.check();
    if (server.hasExport(options.name())) {
      throw new OptionException("NBD server already has export named '" + options.name() + "'");
    }
    if (options.writable() && node.readOnly()) {
      throw new BlockException("Cannot export read-only node '" + node.name() + "' as writable");
    }
    Set<Permission> used = EnumSet.of(Permission.CONSISTENT_READ);
    if (options.writable()) {
      used.add(Permission.WRITE);
    }
    this.backend = new BlockBackend(node, this, used, EnumSet.allOf(Permission.class));
    this.context = node.context();
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
    for (String name : options.bitmaps()) {
      DirtyBitmaps bitmaps = node.bitmaps();
      DirtyBitmap bitmap = bitmaps.require(name);
      if (!options.writable() && bitmap.recording() && node.readOnly()) {
        throw new BlockException("Enabled bitmap '" + name + "' incompatible with readonly export");
      }
      bitmaps.reserve(bitmap);
      reserved.add(bitmap);
      contexts.add(new MetaContext.Bitmap(2 + contexts.size(), name, bitmap.bits()));
    }
  }

  private void releaseBitmaps() {
    reserved.forEach(node.bitmaps()::release);
    reserved.clear();
  }

  /** How the user names it. Any thread. */
  public String id() {
    return id;
  }

  @Override
  public String describe() {
    return "export '" + id + "'";
  }

  @Override
  public String name() {
    return options.name();
  }

  @Override
  public String description() {
    return options.description();
  }

  @Override
  public long size() {
    return node.length();
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
    return options.writable()
        ? flags
            | TransmissionFlags.SEND_TRIM
            | TransmissionFlags.SEND_WRITE_ZEROES
            | TransmissionFlags.SEND_FAST_ZERO
        : flags | TransmissionFlags.READ_ONLY;
  }

  @Override
  public BlockSizes blockSizes() {
    int minimum = node.limits().requestAlignment();
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
  boolean attach(String name, ClientStream stream, ClientTerms terms) throws LinuxException {
    return mainLoop.control("attach-" + name, () -> begin(name, stream, terms));
  }

  private boolean begin(String name, ClientStream stream, ClientTerms terms) throws LinuxException {
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
      closeLane(connection.lane());
    }
    return null;
  }

  private BackendLane openLane(AioContext home) {
    return home.call(() -> backend.openLane(home));
  }

  private static void closeLane(BackendLane lane) {
    lane.context()
        .call(
            () -> {
              lane.close();
              return null;
            });
  }

  private static void start(NbdConnection connection) {
    connection.lane().context().execute(connection::start);
  }

  @Override
  public Runnable drainedBegin() {
    List<CompletableFuture<Void>> still = new ArrayList<>();
    for (NbdConnection connection : connections) {
      CompletableFuture<Void> done = new CompletableFuture<>();
      still.add(done);
      connection.lane().context().execute(() -> connection.stop(() -> done.complete(null)));
    }
    return () -> still.forEach(CompletableFuture::join);
  }

  @Override
  public void drainedEnd() {
    connections.forEach(NbdExport::start);
  }

  @Override
  public void prepareContextChange(AioContext target, ContextChange change) {
    change.add(new Move(target));
  }

  /** Ends it: clients lose their connection, and what they have written is flushed. Waits. */
  public void close() {
    mainLoop.assertControl();
    if (closed) {
      return;
    }
    closed = true;
    server.remove(this);
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
        closeLane(connection.lane());
      }
    } finally {
      backend.quiesceEnd();
    }
    releaseBitmaps();
    if (options.writable()) {
      int result = backend.flush(mainLoop.context());
      if (result != 0) {
        LOG.error("flushing {} failed: {}", describe(), Errno.message(-result));
      }
    }
    backend.close();
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
      unused.forEach(NbdExport::closeLane);
    }
  }
}

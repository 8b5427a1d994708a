// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.aio.RingOp;
import dev.spindle.block.aio.Timer;
import dev.spindle.block.export.BlockExports;
import dev.spindle.block.export.ExportServer;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.nbd.PlainChannel;
import dev.spindle.block.nbd.TlsChannel;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.tls.X509Credentials;
import dev.spindle.linux.Endpoint;
import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.ListeningSocket;
import dev.spindle.linux.StreamSocket;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens for NBD clients and negotiates with each; who has chosen an export is that export's. All
 * of it happens on the main loop's context, where its fields belong; the methods that others call
 * come from the control side.
 */
public final class NbdServer implements ExportServer {
  private static final Logger LOG = LoggerFactory.getLogger(NbdServer.class);
  static final String NOT_RUNNING = "NBD server not running";
  private static final int BACKLOG = 128;

  /** Of local clients: replies of one turn, so that the next ones can be fetched meanwhile. */
  private static final int SEND_BUFFER_BYTES = 1 << 20;

  /** Clients that negotiate at a time. One more, and the one that has taken longest has to go. */
  private static final int MOST_UNFINISHED = 128;

  /** How long not to accept anybody when there are no descriptors left. */
  private static final long PAUSE_NS = 1_000_000_000L;

  private final MainLoop mainLoop;
  private final AioContext context;
  private final NbdServerOptions options;
  private final X509Credentials tls;
  private final Endpoint endpoint;
  private final StreamSocket socket;
  private final Accepting accepting;

  private final List<NbdExport> exports = new ArrayList<>();

  /** In the order in which they came. */
  private final Set<Unfinished> unfinished = new LinkedHashSet<>();

  /** Who has chosen an export when as many used exports as may. */
  private final Queue<Unfinished> waiting = new ArrayDeque<>();

  private int connections;
  private long clients;
  private boolean closed;

  /** By the control side. */
  private boolean stopped;

  private NbdServer(
      MainLoop mainLoop, NbdServerOptions options, X509Credentials tls, StreamSocket socket)
      throws LinuxException {
    this.mainLoop = mainLoop;
    this.context = mainLoop.context();
    this.options = options;
    this.tls = tls;
    this.socket = socket;
    this.endpoint = socket.localEndpoint();
    this.accepting = context.call(Accepting::new);
  }

  /**
   * Starts a server as {@code --nbd-server} describes it, for exports that are opened from now on.
   * Control side; may wait for the host's name to be resolved.
   *
   * @throws BlockException if it cannot listen there, or one runs already
   * @throws OptionException if the description is wrong
   */
  public static void open(BlockExports exports, Options options)
      throws BlockException, OptionException {
    NbdServerOptions wanted = NbdServerOptions.read(options);
    options.finish();
    if (exports.server(NbdServer.class).isPresent()) {
      throw new BlockException("NBD server already running");
    }
    try {
      exports.addServer(start(exports.mainLoop(), wanted, credentials(exports, wanted, options)));
    } catch (IOException e) {
      throw new BlockException(options.owner() + ": " + e.getMessage(), e);
    }
  }

  /**
   * Ends the server that {@link #open} has started, and its exports. Any thread that may wait, but
   * no control work.
   *
   * @throws BlockException if there is none
   */
  public static void close(BlockExports exports) throws BlockException {
    exports.close(
        exports.mainLoop().<NbdServer, BlockException>control("find-server", () -> find(exports)));
  }

  /**
   * The server that {@link #open} has started. Control side.
   *
   * @throws BlockException if there is none
   */
  public static NbdServer find(BlockExports exports) throws BlockException {
    return exports.server(NbdServer.class).orElseThrow(() -> new BlockException(NOT_RUNNING));
  }

  private static X509Credentials credentials(
      BlockExports exports, NbdServerOptions wanted, Options options) throws BlockException {
    if (wanted.credentials().isEmpty()) {
      return null;
    }
    String id = wanted.credentials().get();
    X509Credentials found =
        exports.graph().objects().require(id, X509Credentials.class, X509Credentials.TYPE);
    if (!found.isServer()) {
      throw new BlockException(
          "%s: TLS credentials '%s' are a client's; a server's have endpoint=server"
              .formatted(options.owner(), id));
    }
    return found;
  }

  /**
   * Starts to listen. Control side.
   *
   * @param tls what clients have to use, or null for none
   * @throws IOException with a sentence for the user, if the endpoint cannot be listened at
   */
  static NbdServer start(MainLoop mainLoop, NbdServerOptions options, X509Credentials tls)
      throws IOException {
    StreamSocket socket =
        ListeningSocket.open(options.endpoint(), BACKLOG, ListeningSocket.Access.UMASK);
    try {
      NbdServer server = new NbdServer(mainLoop, options, tls, socket);
      server.context.execute(server.accepting::submit);
      return server;
    } catch (LinuxException | RuntimeException | Error e) {
      socket.close();
      throw e;
    }
  }

  @Override
  public String describe() {
    return "NBD server";
  }

  /** Where it listens, with the port that it really has. Any thread. */
  public Endpoint endpoint() {
    return endpoint;
  }

  NbdServerOptions options() {
    return options;
  }

  MainLoop mainLoop() {
    return mainLoop;
  }

  /** Whether an export has that name. Control side. */
  boolean hasExport(String name) {
    return context.call(() -> exports.stream().anyMatch(export -> export.name().equals(name)));
  }

  /** Offers an export from now on. Control side. */
  void add(NbdExport export) {
    context.call(() -> exports.add(export));
  }

  /** Ends {@link #add}; those who use it are not concerned. Control side. */
  void remove(NbdExport export) {
    context.call(() -> exports.remove(export));
  }

  /** One client fewer uses an export. Any thread. */
  void connectionGone() {
    context.execute(this::placeFree);
  }

  private void placeFree() {
    connections--;
    Unfinished next = waiting.poll();
    if (next != null) {
      next.place.complete(null);
    }
    accepting.submit();
  }

  private boolean isFull() {
    return options.maxConnections() > 0 && connections >= options.maxConnections();
  }

  private void accepted(StreamSocket client) {
    String name = "NBD client " + ++clients + " (" + peer(client) + ")";
    Unfinished handshake = new Unfinished(name, client);
    unfinished.add(handshake);
    if (unfinished.size() > MOST_UNFINISHED) {
      Unfinished longest = unfinished.iterator().next();
      longest.end("too many others want to begin");
    }
    handshake.begin();
  }

  private String peer(StreamSocket client) {
    try {
      if (endpoint instanceof Endpoint.Unix) {
        client.setSendBuffer(SEND_BUFFER_BYTES);
      } else {
        client.setNoDelay();
      }
    } catch (LinuxException e) {
      LOG.debug("{}", e.getMessage());
    }
    try {
      return client.peerEndpoint().toString();
    } catch (LinuxException e) {
      return "gone";
    }
  }

  @Override
  public void stopListening() {
    if (stopped) {
      return;
    }
    stopped = true;
    CompletableFuture<Void> ended = new CompletableFuture<>();
    context.execute(
        () -> {
          closed = true;
          List.copyOf(unfinished).forEach(client -> client.end("the server ends"));
          waiting.forEach(client -> client.place.complete(null));
          waiting.clear();
          accepting.end(() -> ended.complete(null));
        });
    ended.join();
    socket.close();
    if (endpoint instanceof Endpoint.Unix(var path)) {
      try {
        Files.deleteIfExists(path);
      } catch (IOException e) {
        LOG.warn("{} stays: {}", path, e.getMessage());
      }
    }
  }

  /** Stops listening, and ends what has not chosen an export yet. Control side; waits. */
  @Override
  public void close() {
    stopListening();
  }

  /** A client that negotiates. */
  private final class Unfinished {
    private final String name;
    private final StreamSocket client;
    private Timer limit;
    private boolean over;

    /** What it waits for once it has chosen; new for each time. */
    private CompletableFuture<Void> place;

    Unfinished(String name, StreamSocket client) {
      this.name = name;
      this.client = client;
    }

    void begin() {
      if (options.handshakeSeconds() > 0) {
        long delay = options.handshakeSeconds() * 1_000_000_000L;
        limit = context.startTimer(delay, () -> end("it has taken too long to begin"));
      }
      context.startVirtual(name, this::run);
    }

    private void run() {
      boolean taken = false;
      try {
        PlainChannel channel = new PlainChannel(context, client);
        TlsUpgrade upgrade =
            tls == null ? null : () -> TlsChannel.begin(channel, tls.serverEngine());
        Negotiation.Chosen chosen = new Negotiation(() -> offered(), channel, upgrade).run();
        finished();
        taken = chosen != null && awaitPlace() && use(chosen);
      } catch (NegotiationException e) {
        failed(e.getMessage());
      } catch (EOFException e) {
        LOG.debug("{}: has left before it chose an export", name);
      } catch (IOException e) {
        failed(e.getMessage());
      } finally {
        finished();
        if (!taken) {
          client.close();
        }
      }
    }

    private List<OfferedExport> offered() {
      return List.copyOf(exports);
    }

    /** The limits are for those who have not chosen. */
    private void finished() {
      over = true;
      unfinished.remove(this);
      if (limit != null) {
        limit.cancel();
      }
    }

    /** Returns whether there is a place among those who use exports, having waited for one. */
    private boolean awaitPlace() {
      while (isFull() && !closed) {
        place = new CompletableFuture<>();
        waiting.add(this);
        place.join();
      }
      return !closed;
    }

    private boolean use(Negotiation.Chosen chosen) {
      NbdExport export = (NbdExport) chosen.export();
      connections++;
      boolean used = false;
      try {
        used = export.attach(name, chosen.channel().toStream(), chosen.terms());
      } catch (LinuxException e) {
        LOG.warn("{}: {}; its connection is closed", name, e.getMessage());
      } finally {
        if (!used) {
          placeFree();
        }
      }
      return used;
    }

    private void failed(String reason) {
      if (!over) {
        LOG.warn("{}: {}; its connection is closed", name, reason);
      }
    }

    /** Has whatever it waits for fail. */
    void end(String reason) {
      failed(reason);
      finished();
      try {
        client.shutdown();
      } catch (LinuxException e) {
        LOG.debug("{}", e.getMessage());
      }
    }
  }

  /** Takes one client after another. */
  private final class Accepting extends RingOp {
    private final int file = context.ring().registerFile(socket.fd());
    private boolean inFlight;
    private boolean pausing;
    private Runnable whenEnded;

    Accepting() {
      super(NbdServer.this.context);
    }

    /** Waits for the next client, if there may be one. */
    void submit() {
      if (inFlight || pausing || closed || isFull()) {
        return;
      }
      inFlight = true;
      while (!context.ring().submission().prepAccept(file, token())) {
        context.submitNow();
      }
    }

    @Override
    protected void complete(int result, boolean more) {
      inFlight = false;
      if (result >= 0) {
        StreamSocket client = StreamSocket.adopt(Fd.owning(result, endpoint.toString()));
        if (closed) {
          client.close();
        } else {
          accepted(client);
        }
      } else if (result != -Errno.ECANCELED && result != -Errno.ECONNABORTED && !closed) {
        LOG.warn("cannot accept NBD clients at {}: {}", endpoint, Errno.message(-result));
        pausing = true;
        context.startTimer(
            PAUSE_NS,
            () -> {
              pausing = false;
              submit();
            });
      }
      if (whenEnded != null) {
        release();
        context.ring().unregisterFile(file);
        whenEnded.run();
      } else {
        submit();
      }
    }

    /** Takes no more clients. */
    void end(Runnable ended) {
      if (!inFlight) {
        release();
        context.ring().unregisterFile(file);
        ended.run();
        return;
      }
      whenEnded = ended;
      // A listening socket that is shut down accepts nobody, and says so.
      try {
        socket.shutdown();
      } catch (LinuxException e) {
        LOG.debug("{}", e.getMessage());
      }
    }
  }
}

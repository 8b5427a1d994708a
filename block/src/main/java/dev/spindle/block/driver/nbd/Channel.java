// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.TurnEnd;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.nbd.NbdStream;
import dev.spindle.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to the server, as long as the node lives: what is sent on it, and what comes back.
 * When the connection is lost, it is made anew and what has not been answered is sent again.
 *
 * <p>Belongs to the context that {@link #context} tells, and only that context's thread touches it,
 * but for {@link #post}. It changes hands when nobody there uses it any more and somebody elsewhere
 * does; in between, and while nobody uses it at all, it belongs to no context. Nothing is received
 * while nothing has been asked, so that a channel at rest has nothing on any ring.
 */
final class Channel implements TurnEnd, NbdStream.Listener {
  private static final Logger LOG = LoggerFactory.getLogger(Channel.class);

  private final NbdNode node;
  private final Channels owner;
  private final Reconnection reconnection;
  private final Queue<Runnable> posted = new ConcurrentLinkedQueue<>();
  private final Runnable runPosted = this::runPosted;

  /** Null while it belongs to none. Written by whoever has it. */
  private volatile AioContext context;

  /** Null while there is no connection. */
  private Link link;

  /** What the last connection has agreed to, or the first one of the node. */
  private ExportTerms terms;

  /** Whether the stream is at work on the context. */
  private boolean started;

  /** Whether the stream has been told to come to rest. */
  private boolean stopping;

  private boolean sending;
  private boolean receiving;

  /** The connection is of no use any more, and is to be closed. */
  private boolean broken;

  /** The server has broken the rules: what it has been sent is not sent again. */
  private boolean hostile;

  /** The server goes by the rules, which want it to be told that nothing more comes. */
  private boolean polite;

  /** It has been given to its context, and has not gone to work there. */
  private boolean arriving;

  /** The channel leaves its context. */
  private boolean leaving;

  private boolean turnEndAsked;

  private final Outbox outbox = new Outbox();

  /** What has been answered while it was still being sent. */
  private final FlightQueue early = new FlightQueue();

  private final Intake intake = new Intake(this);
  private Flight[] flights = new Flight[0];
  private Flight[] free = new Flight[16];
  private int freeCount;
  private int onWire;
  private long readBytesOnWire;

  Channel(NbdNode node, Channels owner, Link link) {
    this.node = node;
    this.owner = owner;
    this.link = link;
    this.terms = link == null ? node.terms() : link.terms();
    this.reconnection = new Reconnection(node, this);
  }

  /** Whose it is; null if nobody's for now. Any thread. */
  AioContext context() {
    return context;
  }

  NbdOptions options() {
    return node.options();
  }

  ExportTerms terms() {
    return terms;
  }

  /** Whether there is a connection. On its context, or while it has none. */
  boolean isConnected() {
    return link != null;
  }

  /** Runs a task on the channel's context, as soon as it has one. Any thread. */
  void post(Runnable task) {
    posted.add(task);
    while (true) {
      AioContext now = context;
      if (now == null) {
        if (owner.isClosed()) {
          runAllPosted();
        }
        return;
      }
      try {
        now.execute(runPosted);
        return;
      } catch (RejectedExecutionException e) {
        // The channel has left that context meanwhile.
        Thread.onSpinWait();
      }
    }
  }

  private void runPosted() {
    AioContext now = context;
    if (now == null || !now.isOwner() || leaving) {
      // Whoever gets the channel next will look.
      return;
    }
    runAllPosted();
  }

  private void runAllPosted() {
    Runnable task;
    while ((task = posted.poll()) != null) {
      task.run();
    }
  }

  /** Gives it to a context, whose thread calls {@link #arrive} next. By whoever has it. */
  void give(AioContext to) {
    arriving = to != null;
    context = to;
  }

  /** Goes to work on its new context, the caller's, unless it has left that again. */
  void arrive() {
    AioContext now = context;
    if (now == null || !now.isOwner() || !arriving) {
      return;
    }
    arriving = false;
    leaving = false;
    runPosted();
    proceed();
  }

  /** Nobody on its context uses it any more. On that context. */
  void leave() {
    arriving = false;
    leaving = true;
    if (started) {
      stopStream();
      stayAlive();
    } else {
      handOver();
    }
  }

  /** The context may be about to end, which it must not before it has let go. */
  private void stayAlive() {
    AioContext now = context;
    if (leaving && now != null && now.isOwner()) {
      now.execute(this::stayAlive);
    }
  }

  private void stopStream() {
    if (!stopping) {
      stopping = true;
      link.stream().stop(this::stopped);
    }
  }

  private void stopped() {
    stopping = false;
    started = false;
    if (broken) {
      bury();
    }
    if (leaving) {
      handOver();
    } else {
      proceed();
    }
  }

  private void handOver() {
    if (!turnEndAsked) {
      owner.handOver(this);
    }
  }

  /** Carries out a request; with {@code remote}, for another context. */
  void submit(BlockRequest request, long offset, long length, RemoteRequest remote) {
    Flight flight = take();
    flight.start(request, offset, length, remote);
    enqueue(flight);
  }

  private Flight take() {
    if (freeCount > 0) {
      return free[--freeCount];
    }
    // A virtual thread may have to wait for memory, and the channel is at work meanwhile.
    MemorySegment head = Flight.newHead();
    int count = flights.length;
    Flight[] more = Arrays.copyOf(flights, count + 1);
    more[count] = new Flight(this, count, head);
    flights = more;
    return more[count];
  }

  /** It is of no more use for now. */
  void putBack(Flight flight) {
    if (freeCount == free.length) {
      free = Arrays.copyOf(free, 2 * freeCount);
    }
    free[freeCount++] = flight;
  }

  /** Has the next command of a flight sent. */
  void enqueue(Flight flight) {
    if (link == null && !broken && !reconnection.mayWait()) {
      flight.giveUp();
      return;
    }
    outbox.add(flight);
    askTurnEnd();
  }

  private void askTurnEnd() {
    if (!turnEndAsked) {
      turnEndAsked = true;
      context.atTurnEnd(this);
    }
  }

  @Override
  public void endTurn() {
    turnEndAsked = false;
    if (arriving) {
      // It has not gone to work yet, and will do all that there is then.
      return;
    }
    if (!leaving) {
      proceed();
    } else if (!started) {
      handOver();
    }
  }

  /** Does what can be done now: sends, or makes a connection. */
  private void proceed() {
    if (leaving || stopping || broken) {
      return;
    }
    if (link == null) {
      if (!outbox.isEmpty()) {
        reconnection.begin(terms);
      }
      return;
    }
    if (!started) {
      link.stream().start(context, this);
      started = true;
    }
    if (!sending && outbox.load(this, terms)) {
      sending = true;
      link.stream().send(outbox.message());
    }
    if (!receiving && onWire > 0) {
      receive();
    }
  }

  private void receive() {
    receiving = true;
    intake.receive(link.stream());
  }

  /** A flight's command is about to be sent. */
  void departed(Flight flight) {
    flight.onWire = true;
    flight.message = outbox.number();
    onWire++;
    readBytesOnWire += flight.isRead() ? flight.partLength : 0;
  }

  private void landed(Flight flight) {
    flight.onWire = false;
    onWire--;
    readBytesOnWire -= flight.isRead() ? flight.partLength : 0;
  }

  /** Bytes that the next answer brings, if all are alike. */
  long averageRead() {
    return onWire == 0 ? 0 : readBytesOnWire / onWire;
  }

  /** Whose answer has a cookie; null if nobody waits for it. */
  Flight flight(long cookie) {
    int index = (int) cookie;
    if (index < 0 || index >= flights.length) {
      return null;
    }
    Flight flight = flights[index];
    return flight.onWire && flight.cookie() == cookie ? flight : null;
  }

  /** The server has answered a command to the end. */
  void answered(Flight flight) {
    if (flight.error == Errno.ESHUTDOWN) {
      // To be asked of the next server: it stays among what has not been answered.
      leaveServer();
      return;
    }
    landed(flight);
    reconnection.progress();
    if (!outbox.isBetweenMessages() && flight.message == outbox.number()) {
      // What it is sent from must stay until the kernel has read it, whatever the server says; a
      // channel that moves may have sent a part.
      early.add(flight);
    } else {
      flight.answered();
    }
  }

  private void answerEarlyOnes() {
    Flight flight;
    while ((flight = early.remove()) != null) {
      flight.answered();
    }
  }

  @Override
  public void sent(int result) {
    sending = false;
    if (result < 0) {
      if (!stopping) {
        lost(Errno.message(-result));
      }
      return;
    }
    if (outbox.sent(result)) {
      answerEarlyOnes();
    }
    proceed();
  }

  @Override
  public void received(int result) {
    receiving = false;
    if (result > 0 && !broken) {
      String wrong = intake.received(result);
      if (wrong != null) {
        hostile = true;
        lost("the server does not follow the protocol: " + wrong);
      }
    } else if (!stopping) {
      lost(result == 0 ? "the server has closed it" : Errno.message(-result));
    }
    proceed();
  }

  /** The connection is of no use any more. */
  private void lost(String reason) {
    if (broken && !polite) {
      return;
    }
    broken = true;
    polite = false;
    int delay = options().reconnectDelay();
    LOG.warn(
        "node '{}': the connection to {} is lost: {}; requests {}",
        node.name(),
        options().target(),
        reason,
        delay == 0 ? "fail" : "wait " + delay + " s for it to come back");
    link.stream().shutdown();
    stopStream();
  }

  /** Ends the connection as the server wants it that shuts down (ESHUTDOWN). */
  private void leaveServer() {
    if (!broken) {
      broken = true;
      polite = true;
      LOG.warn("node '{}': {} is shutting down", node.name(), options().target());
      stopStream();
    }
  }

  /** Nothing of the lost connection is at work any more. */
  private void bury() {
    if (polite && outbox.isBetweenMessages()) {
      owner.discard(link);
    } else {
      link.stream().close();
    }
    link = null;
    broken = false;
    polite = false;
    intake.reset();
    outbox.dropMessage();
    answerEarlyOnes();
    boolean replay = !hostile && reconnection.lost();
    if (hostile) {
      reconnection.givenUp();
    }
    hostile = false;
    for (Flight flight : flights) {
      if (flight.onWire) {
        landed(flight);
        if (replay) {
          outbox.add(flight);
        } else {
          flight.giveUp();
        }
      }
    }
    if (!replay) {
      giveUp();
    }
  }

  /** There is no connection, and nobody is to wait for one. */
  void giveUp() {
    Flight flight;
    // What comes meanwhile is refused as it comes.
    while ((flight = outbox.remove()) != null) {
      flight.giveUp();
    }
  }

  /** There is a connection again. */
  void connected(Link made) {
    if (link != null || owner.isClosed()) {
      owner.discard(made);
      return;
    }
    link = made;
    terms = made.terms();
    proceed();
  }

  /** Takes the connection away, from a channel that nobody has; null if there is none. */
  Link surrender() {
    reconnection.cancel();
    runAllPosted();
    Link mine = link;
    link = null;
    return mine;
  }
}

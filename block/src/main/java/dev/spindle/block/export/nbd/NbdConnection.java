// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.aio.TurnEnd;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.CommandFlags;
import dev.spindle.block.nbd.NbdStream;
import dev.spindle.block.nbd.Wire;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A client that uses an export: its requests on their way to the backend, and their replies on the
 * way back. Belongs to one context at a time, and only that context's thread touches it; between
 * {@link #stop} and {@link #start} it may change hands.
 */
final class NbdConnection implements TurnEnd, NbdStream.Listener {
  private static final Logger LOG = LoggerFactory.getLogger(NbdConnection.class);

  /** Requests of one client at a time; it waits with more. */
  private static final int MOST_REQUESTS = 512;

  private static final int STATUS_LIST_HEAD = 8;

  private final String name;
  private final NbdStream stream;
  private final ClientTerms terms;
  private final RequestCheck check;
  private final ReplyHead head;
  private final StatusQuery status;
  private final PayloadMemory payloads;
  private final IdleMemory idleMemory;
  private final MemorySegment memory;
  private final RequestIntake intake;
  private final ReplyQueue replies;

  private final NbdRequest[] free = new NbdRequest[MOST_REQUESTS];
  private int freeCount;
  private int requestCount;
  private final long heads;

  private BackendLane lane;

  /** Requests that the backend has, and status queries that are at work. */
  private int active;

  private int queries;

  /** Between {@link #start} and {@link #stop}. */
  private boolean running;

  /** The client has said that it sends no more. */
  private boolean leaving;

  /** Nothing more is received or sent. */
  private boolean ended;

  /** Nothing of it is left; {@link #gone} is done. */
  private boolean released;

  /** What waits in the lane is not waited for any more. */
  private boolean discarded;

  /** How often the client has taken something. */
  private long sends;

  private boolean streamAtWork;
  private boolean turnEndAsked;
  private Runnable whenStopped;
  private Runnable whenStatusTold;
  private final CompletableFuture<Void> gone = new CompletableFuture<>();

  /**
   * Makes a connection that {@link #start} brings to work.
   *
   * @param name what messages call it
   * @param size of the export in bytes
   * @throws LinuxException if there is no memory
   */
  NbdConnection(String name, NbdStream stream, ClientTerms terms, long size) throws LinuxException {
    this.name = name;
    this.stream = stream;
    this.terms = terms;
    this.check = new RequestCheck(terms, size);
    this.head = new ReplyHead(terms.style());
    this.status = new StatusQuery(terms, head);
    this.payloads = new PayloadMemory();
    this.idleMemory = new IdleMemory(payloads);
    this.memory = payloads.segment();
    this.heads = payloads.take((long) MOST_REQUESTS * NbdRequest.HEAD_BYTES);
    this.intake = new RequestIntake(this, stream, terms, check, payloads);
    this.replies = new ReplyQueue(this, stream, memory);
  }

  /** Its way to the backend; control side, while it stands still or is gone. */
  BackendLane lane() {
    return lane;
  }

  /** See {@link #lane()}. Before {@link #start}. */
  void setLane(BackendLane newLane) {
    lane = newLane;
  }

  /** Done when nothing of it is left but its lane. Any thread. */
  CompletableFuture<Void> gone() {
    return gone;
  }

  /** How often its client has taken something of what there was to send. On its context. */
  long sends() {
    return sends;
  }

  /**
   * Goes to work on its lane's context, the caller's.
   *
   * @param length of the node, which may have changed since it stood still
   */
  void start(long length) {
    lane.context().assertOwner();
    turnEndAsked = false;
    check.setLength(length);
    if (ended) {
      return;
    }
    running = true;
    streamAtWork = true;
    idleMemory.start(lane.context());
    stream.start(lane.context(), this);
    replies.send();
    intake.run();
    checkLeft();
  }

  /**
   * Takes and sends nothing more.
   *
   * @param stopped runs on this context when it stands still but for what the backend has
   */
  void stop(Runnable stopped) {
    lane.context().assertOwner();
    whenStopped = stopped;
    if (running) {
      running = false;
      if (!ended) {
        idleMemory.stop();
        stream.stop(this::streamStopped);
      }
    }
    checkStopped();
  }

  private void streamStopped() {
    streamAtWork = false;
    checkStopped();
    checkGone();
  }

  private void checkStopped() {
    if (whenStopped != null && !streamAtWork && queries == 0 && !intake.isPausing()) {
      Runnable stopped = whenStopped;
      whenStopped = null;
      stopped.run();
    }
  }

  /** Whether requests may be taken. */
  boolean isTaking() {
    return running && !leaving && !ended;
  }

  /** An unused request, or null if the client has as many on their way as it may. */
  NbdRequest newRequest() {
    idleMemory.use();
    if (freeCount > 0) {
      return free[--freeCount];
    }
    if (requestCount == MOST_REQUESTS) {
      return null;
    }
    long at = heads + (long) requestCount * NbdRequest.HEAD_BYTES;
    requestCount++;
    return new NbdRequest(this, memory, at);
  }

  /** The intake has gone on after a pause. */
  void paused() {
    checkStopped();
    checkGone();
  }

  /** A request is over, and its reply gone. */
  void putBack(NbdRequest request) {
    giveBackBlock(request);
    free[freeCount++] = request;
    if (intake.isStarved()) {
      askTurnEnd();
    }
  }

  private void giveBackBlock(NbdRequest request) {
    if (request.block >= 0) {
      payloads.giveBack(request.block, request.blockBytes);
      request.block = NbdRequest.NONE;
    }
  }

  /** How long a block must be that takes the answer to a status query. */
  long statusReplyBytes() {
    return status.replyBytes();
  }

  /** A request, with all its payload, is to be carried out. */
  void carryOut(NbdRequest request) {
    active++;
    if (request.command == Command.BLOCK_STATUS) {
      tellStatus(request);
    } else {
      request.translate(memory);
      submit(request);
    }
  }

  /** Sends a request on its way. */
  void submit(NbdRequest request) {
    lane.submit(request);
  }

  /** The backend has carried a request out. */
  void completed(NbdRequest request, int result) {
    if (request.command != Command.READ || result < 0) {
      giveBackBlock(request);
    }
    if (result < 0) {
      failed(request, -result);
    } else {
      head.success(request);
    }
    reply(request);
  }

  private void failed(NbdRequest request, int errno) {
    Refusal cutOff = check.cutOff(request);
    if (cutOff != null) {
      head.refused(request, cutOff);
    } else {
      head.failed(request, errno);
    }
  }

  private void reply(NbdRequest request) {
    active--;
    if (ended) {
      putBack(request);
      checkGone();
      return;
    }
    replies.add(request);
    askTurnEnd();
  }

  /** Answers a request that is not carried out. */
  void refuse(NbdRequest request, Refusal refusal) {
    active++;
    head.refused(request, refusal);
    reply(request);
  }

  private void tellStatus(NbdRequest request) {
    long length = request.requestLength;
    List<MetaContext> chosen = terms.contexts();
    if ((request.flags & CommandFlags.PAYLOAD_LEN) != 0) {
      length = memory.get(Wire.LONG, request.block);
      chosen = listed(request);
    }
    Refusal refusal =
        chosen.isEmpty()
            ? Refusal.WRONG_CONTEXTS
            : check.checkStatusRange(request.requestOffset, length);
    if (refusal != null) {
      giveBackBlock(request);
      head.refused(request, refusal);
      reply(request);
      return;
    }
    long asked = length;
    List<MetaContext> contexts = chosen;
    queries++;
    lane.context().startVirtual("status-" + name, () -> tellStatus(request, asked, contexts));
  }

  private void tellStatus(NbdRequest request, long length, List<MetaContext> contexts) {
    boolean told = false;
    try {
      status.answer(request, lane, memory, length, contexts);
      told = true;
    } finally {
      if (!told) {
        head.failed(request, Errno.EIO);
      }
      queries--;
      reply(request);
      checkStopped();
      checkStatusTold();
    }
  }

  /**
   * Tells once no status query is under way.
   *
   * @param action runs on the connection's context, which may be another one by then. One at a time
   */
  void whenStatusTold(Runnable action) {
    whenStatusTold = action;
    checkStatusTold();
  }

  private void checkStatusTold() {
    if (whenStatusTold != null && queries == 0) {
      Runnable told = whenStatusTold;
      whenStatusTold = null;
      told.run();
    }
  }

  /** Those contexts that the payload lists; empty if one of them is not there, or there twice. */
  private List<MetaContext> listed(NbdRequest request) {
    List<MetaContext> chosen = new ArrayList<>();
    for (long at = STATUS_LIST_HEAD; at < request.requestLength; at += Integer.BYTES) {
      int number = memory.get(Wire.INT, request.block + at);
      MetaContext context = null;
      for (MetaContext candidate : terms.contexts()) {
        context = candidate.number() == number ? candidate : context;
      }
      if (context == null || chosen.contains(context)) {
        return List.of();
      }
      chosen.add(context);
    }
    return chosen;
  }

  private void askTurnEnd() {
    if (!turnEndAsked) {
      turnEndAsked = true;
      lane.context().atTurnEnd(this);
    }
  }

  @Override
  public void endTurn() {
    if (!turnEndAsked) {
      return;
    }
    turnEndAsked = false;
    if (running && !ended) {
      replies.send();
      if (intake.isStarved()) {
        intake.run();
      }
      checkLeft();
    }
  }

  @Override
  public void received(int result) {
    if (!ended) {
      intake.received(result);
    }
  }

  @Override
  public void sent(int result) {
    sends++;
    int error = replies.sent(result);
    if (ended) {
      return;
    }
    if (error < 0) {
      lost(error, true);
    } else if (running) {
      replies.send();
      checkLeft();
    }
  }

  /** The client will send nothing more: what it has asked for is done before the end. */
  void leave() {
    leaving = true;
    checkLeft();
  }

  /**
   * Takes nothing more, and ends once all that has been taken is answered, if it can be. On its
   * context.
   */
  void finish() {
    lane.context().assertOwner();
    if (!ended) {
      leave();
    }
  }

  private void checkLeft() {
    if (leaving && active == 0 && replies.isEmpty()) {
      end();
    }
  }

  /**
   * The client is not there any more.
   *
   * @param error 0 if it has closed its end, else a negated errno
   * @param amid whether in the middle of something
   */
  void lost(int error, boolean amid) {
    if (!amid && (error == 0 || error == -Errno.ECONNRESET)) {
      LOG.debug("{}: has left without a word", name);
      end();
    } else {
      fail(
          error == 0
              ? "the connection ended in the middle of a request"
              : "the connection failed: " + Errno.message(-error));
    }
  }

  /** The client has broken the rules: only its own connection ends. */
  void fail(String reason) {
    if (!ended) {
      LOG.warn("{}: {}; its connection is closed", name, reason);
      end();
    }
  }

  private void end() {
    if (ended) {
      return;
    }
    ended = true;
    stream.shutdown();
    intake.abandon();
    if (running) {
      idleMemory.stop();
      stream.stop(this::streamStopped);
    }
    checkGone();
  }

  /**
   * Ends the connection with what it still wants. On its context, while it stands still and the
   * backend has nothing of it on its way.
   */
  void endNow() {
    lane.context().assertOwner();
    end();
    lane.discardWaiting();
    discarded = true;
    checkGone();
  }

  private void checkGone() {
    boolean still = !streamAtWork && !intake.isPausing();
    if (ended && !released && still && (discarded || active == 0)) {
      released = true;
      stream.close();
      payloads.close();
      gone.complete(null);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.FdWatch;
import dev.spindle.block.aio.Pollable;
import dev.spindle.block.aio.TurnEnd;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.devices.virtio.driver.DeviceFaultException;
import dev.spindle.linux.Errno;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.uring.PeerEvent;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One queue of a front end, whatever connection it has at the time. It belongs to one context at a
 * time, or to none, as {@link FrontEndQueues} says; that context's thread only, where nothing else
 * is said. Allocates nothing per request once it has been as busy as it will be.
 */
final class FrontEndQueue implements Pollable, TurnEnd, AutoCloseable {
  /** Operations begun in one turn that the back end is shown at once: it starts while we go on. */
  private static final int PUBLISH_BATCH = 4;

  private final FrontEndQueues queues;

  /** Rung when there is something for the back end to do, and when it is done with something. */
  private final EventFd kick;

  private final EventFd call;

  /** To {@link #kick}, which the back end has as well. */
  private final PeerEvent bell;

  /** The context, guarded by the queues' lock. */
  private AioContext owner;

  /** The context, while there is one. */
  private AioContext context;

  private FdWatch watch;
  private Fd watched;
  private boolean polling;
  private boolean endAsked;

  /** Operations sent that the back end may not have been shown. */
  private int unpublished;

  /** Whether it is to leave its context when nothing is on its way. */
  private boolean leaving;

  /** Null while there is no connection. */
  private FrontEndRing ring;

  /** Told when nothing is on its way; while there is one, nothing is sent. Else null. */
  private Runnable whenStill;

  /** The ring of a back end that broke the rules, with all that was on its way, or null. */
  private FrontEndRing abandoned;

  /** What every request ends with while there is no connection; 0 to have them wait. */
  private int refusal;

  /** Requests with something to be sent that there was no room for, or no connection. */
  private final ArrayDeque<FrontEndOp> waiting = new ArrayDeque<>();

  /** All there are, in use or not. */
  private final List<FrontEndOp> operations = new ArrayList<>();

  private FrontEndOp[] free = new FrontEndOp[64];
  private int freeCount;
  private int busy;

  FrontEndQueue(FrontEndQueues queues) throws LinuxException {
    this.queues = queues;
    kick = EventFd.create();
    EventFd made = null;
    try {
      made = EventFd.create();
      bell = PeerEvent.of(kick);
    } catch (LinuxException e) {
      kick.close();
      if (made != null) {
        made.close();
      }
      throw e;
    }
    call = made;
  }

  Fd kickFd() {
    return kick.fd();
  }

  Fd callFd() {
    return call.fd();
  }

  AioContext owner() {
    return owner;
  }

  void setOwner(AioContext newOwner) {
    owner = newOwner;
  }

  /** Begins to work on a context, which owns it by now. */
  void arrive(AioContext home) {
    try {
      // The watch on the context before may still have its own.
      watched = call.fd().duplicate();
    } catch (LinuxException e) {
      throw new UncheckedIOException(e);
    }
    context = home;
    polling = false;
    watch = home.watch(watched, this::run);
    home.addPollable(this);
    run();
  }

  /** Leaves its context once nothing is on its way. */
  void leave() {
    leaving = true;
    leaveIfIdle();
  }

  private void leaveIfIdle() {
    if (!leaving || busy > 0 || endAsked) {
      return;
    }
    leaving = false;
    context.removePollable(this);
    watch.end(watched::close);
    context = null;
    queues.free(this);
  }

  /**
   * Carries out a request.
   *
   * @param origin the context to complete it on, or null if it is this one
   */
  void start(BlockRequest request, long offset, AioContext origin) {
    FrontEndOp op = takeOperation();
    op.begin(request, offset, origin);
    if (op.isWrite() && queues.writes().mustLock() && !(request instanceof FrontEndPart)) {
      op.mustLock();
      context.startVirtual("write", () -> startLocked(op));
    } else {
      start(op);
    }
  }

  private FrontEndOp takeOperation() {
    busy++;
    if (freeCount > 0) {
      return free[--freeCount];
    }
    FrontEndOp op = new FrontEndOp(this);
    operations.add(op);
    return op;
  }

  private void start(FrontEndOp op) {
    if (refusal != 0) {
      op.end(refusal);
    } else {
      goOn(op);
    }
  }

  /** As {@link #start} for one that may have to wait for others; it is busy meanwhile. */
  private void startLocked(FrontEndOp op) {
    boolean locked = false;
    try {
      op.lock(queues.writes());
      locked = true;
    } finally {
      if (!locked) {
        op.end(-Errno.EIO);
      }
    }
    start(op);
  }

  /** Runs {@code action} once those writes to a range are done that are on their way. */
  void whenWritten(long start, long end, Runnable action) {
    List<FrontEndOp> writing = new ArrayList<>();
    for (FrontEndOp op : operations) {
      if (op.isWriting(start, end)) {
        writing.add(op);
      }
    }
    if (writing.isEmpty()) {
      action.run();
      return;
    }
    int[] left = {writing.size()};
    for (FrontEndOp op : writing) {
      op.whenEnded(
          () -> {
            if (--left[0] == 0) {
              action.run();
            }
          });
    }
  }

  /** Sends what is left of an operation, or has it wait. */
  void goOn(FrontEndOp op) {
    if (!isSending() || !waiting.isEmpty() || !op.send(ring, queues.shared())) {
      op.setWaiting(true);
      waiting.add(op);
    } else if (++unpublished == PUBLISH_BATCH) {
      publish();
    }
    askTurnEnd();
  }

  private void publish() {
    unpublished = 0;
    if (ring != null && ring.queue().publish()) {
      bell.signal();
    }
  }

  private boolean isSending() {
    return ring != null && whenStill == null;
  }

  /**
   * Sends nothing more until {@link #resume}. As {@link #detach}.
   *
   * @param still run when nothing is on its way to the back end, also because that is gone
   */
  void pause(Runnable still) {
    if (ring == null || ring.isIdle()) {
      whenStill = () -> {};
      still.run();
    } else {
      whenStill = still;
    }
  }

  /** Ends {@link #pause}. As {@link #detach}. */
  void resume() {
    whenStill = null;
    if (context != null) {
      sendWaiting();
    }
  }

  private void sendWaiting() {
    while (isSending() && !waiting.isEmpty()) {
      FrontEndOp op = waiting.peek();
      op.setWaiting(false);
      // Out of the way: its end may bring others.
      waiting.poll();
      if (!op.send(ring, queues.shared())) {
        op.setWaiting(true);
        waiting.addFirst(op);
        break;
      }
    }
    askTurnEnd();
  }

  void ended(FrontEndOp op) {
    if (freeCount == free.length) {
      free = Arrays.copyOf(free, 2 * freeCount);
    }
    free[freeCount++] = op;
    busy--;
    if (busy == 0 && leaving) {
      // Not from within: whoever is told now may have more.
      askTurnEnd();
    }
  }

  private void askTurnEnd() {
    if (!endAsked) {
      endAsked = true;
      context.atTurnEnd(this);
    }
  }

  @Override
  public void endTurn() {
    endAsked = false;
    publish();
    leaveIfIdle();
  }

  @Override
  public boolean ready() {
    return ring != null && ring.queue().hasUsed();
  }

  @Override
  public void run() {
    // A last event can come after the queue has left, when it may be another context's.
    if (context == null || !context.isOwner()) {
      return;
    }
    FrontEndRing current = ring;
    try {
      boolean more = current != null;
      while (more) {
        while (current == ring && current.reap()) {
          // Each has been handed back.
        }
        // With notifications off there is nothing to ask for.
        more = current == ring && !polling && current.queue().enableInterrupts();
      }
    } catch (DeviceFaultException e) {
      // Nothing that it says is believed from here on.
      ring = null;
      abandoned = current;
      queues.broken(e.getMessage());
      return;
    } catch (RuntimeException | Error e) {
      // Somebody's request did not take its end; the others go on.
      context.execute(this::run);
      throw e;
    }
    if (whenStill != null && current != null && current.isIdle()) {
      whenStill.run();
    } else if (!waiting.isEmpty()) {
      sendWaiting();
    }
  }

  @Override
  public void beginPolling() {
    polling = true;
    if (ring != null) {
      ring.queue().disableInterrupts();
    }
  }

  @Override
  public void endPolling() {
    polling = false;
    if (ring != null) {
      ring.queue().enableInterrupts();
    }
  }

  /**
   * The connection is gone: takes back what the back end has done, and keeps the rest. On the
   * queue's context, or anywhere while it has none.
   */
  void detach() {
    FrontEndRing gone = ring;
    if (gone != null) {
      try {
        while (gone.reap()) {
          // Each has been handed back.
        }
      } catch (DeviceFaultException e) {
        // What was right before it has been taken; the rest counts as not done.
      }
    } else {
      gone = abandoned;
    }
    ring = null;
    abandoned = null;
    whenStill = null;
    if (gone != null) {
      waiting.forEach(FrontEndOp::restart);
      gone.forEach(this::keep);
    }
  }

  private void keep(FrontEndOp op) {
    if (!op.isWaiting()) {
      op.restart();
      op.setWaiting(true);
      waiting.add(op);
    }
  }

  /** Fails what waits and what will come, until there is a connection. As {@link #detach}. */
  void refuse(int errno) {
    refusal = -errno;
    while (!waiting.isEmpty()) {
      FrontEndOp op = waiting.poll();
      op.setWaiting(false);
      op.end(-errno);
    }
  }

  /** There is a connection: sends what has waited. As {@link #detach}. */
  void attach(FrontEndRing newRing) {
    ring = newRing;
    refusal = 0;
    if (context != null) {
      sendWaiting();
      run();
    }
  }

  @Override
  public void close() {
    bell.close();
    kick.close();
    call.close();
  }
}

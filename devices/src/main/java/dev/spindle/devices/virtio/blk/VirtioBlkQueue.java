// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.FdWatch;
import dev.spindle.block.aio.Pollable;
import dev.spindle.block.aio.TurnEnd;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.devices.virtio.DeviceQueue;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.VirtqueueException;
import dev.spindle.devices.virtio.blk.VirtioBlkStats.Counter;
import dev.spindle.linux.Errno;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * One queue of a block device at work: takes requests off the ring, sends them to the backend, and
 * gives them back, a few at a time, interrupting the guest if it asked for it. Belongs to one
 * context at a time, and only that context's thread touches it; between {@link #stop} and {@link
 * #start} it may change hands.
 */
final class VirtioBlkQueue implements Pollable, TurnEnd {

  /**
   * Of requests that end in one turn, how many the driver is shown at once. It goes on with the
   * first ones while the rest are still being given back, and wants no interrupt meanwhile.
   */
  private static final int PUBLISH_BATCH = 4;

  private final Consumer<String> broken;
  private final DiskErrors errors;
  private final DeviceQueue queue;
  private final Virtqueue ring;
  private final RequestParser parser;
  private final int maxBuffers;
  private final QueueTracker tracker;
  private final VirtioBlkStats stats = new VirtioBlkStats();
  private final DataDetour detour = new DataDetour();

  private BackendLane lane;

  /** Null while it does not work, or could not begin to. */
  private FdWatch watch;

  private boolean running;

  /** Whether {@link #goOn} is in the context's queue. */
  private boolean pausing;

  /** Waits until it is not, if not null. */
  private Runnable whenPaused;

  private final Runnable goOn = this::goOn;

  /** The driver has broken the rules: nothing more is taken until its reset, wherever we start. */
  private boolean failed;

  private boolean polling;
  private boolean turnEndAsked;

  /** Requests given back that the driver has not been shown. */
  private int unpublished;

  /** Requests that somebody has taken off the ring before us and not carried out, oldest first. */
  private LeftBehind leftBehind;

  /** Waits for all that was taken to be given back, if not null. */
  private Runnable whenEmpty;

  /** Requests that have failed and are to be sent again; dropped with the queue. */
  private final ArrayDeque<VirtioBlkRequest> kept = new ArrayDeque<>();

  private VirtioBlkRequest[] free = new VirtioBlkRequest[16];
  private int freeCount;

  /**
   * Prepares a queue.
   *
   * @param broken told why the device needs a reset
   * @param errors says what becomes of requests that fail
   * @param leftBehind the requests to begin with
   */
  VirtioBlkQueue(
      Consumer<String> broken,
      DiskErrors errors,
      DeviceQueue queue,
      RequestParser parser,
      int maxBuffers,
      QueueTracker tracker,
      LeftBehind leftBehind) {
    this.broken = broken;
    this.errors = errors;
    this.queue = queue;
    this.ring = queue.ring();
    this.parser = parser;
    this.maxBuffers = maxBuffers;
    this.tracker = tracker;
    this.leftBehind = leftBehind;
  }

  VirtioBlkStats stats() {
    return stats;
  }

  /** Goes to work on the caller's context. What became available meanwhile is done at once. */
  void start(BackendLane newLane) {
    AioContext context = newLane.context();
    context.assertOwner();
    lane = newLane;
    try {
      watch = context.watch(queue.kick().fd(), this::run);
    } catch (RuntimeException | Error e) {
      faulty(e);
      throw e;
    }
    context.addPollable(this);
    polling = false;
    running = !failed && !ring.isBroken();
    sendKept();
    run();
  }

  /** What fails again is kept for the next time. */
  private void sendKept() {
    for (int left = kept.size(); left > 0 && running; left--) {
      handle(kept.remove());
    }
  }

  /**
   * Takes no more requests; those taken are the backend's to end.
   *
   * @param stopped runs on this context when the kick eventfd is nobody's; the queue may start
   *     elsewhere once its requests have come back or go along
   */
  void stop(Runnable stopped) {
    lane.context().assertOwner();
    running = false;
    lane.context().removePollable(this);
    if (watch == null) {
      // It could not begin. As with a watch, never within this call.
      lane.context().execute(stopped);
      return;
    }
    FdWatch ending = watch;
    watch = null;
    ending.end(() -> whenNotPausing(stopped));
  }

  /** What is in this context's queue must be done before another one has this. */
  private void whenNotPausing(Runnable action) {
    if (pausing) {
      whenPaused = action;
    } else {
      action.run();
    }
  }

  private void goOn() {
    pausing = false;
    if (whenPaused != null) {
      Runnable action = whenPaused;
      whenPaused = null;
      action.run();
    } else {
      run();
    }
  }

  /**
   * Has what is on its way, or waits, come back through another lane. By control work in a drained
   * section.
   */
  void lead(BackendLane newLane) {
    lane = newLane;
  }

  /**
   * Tells once all that was taken has been given back, for a queue that has been stopped for good.
   *
   * @param action runs on this queue's context, which may be another one by then
   */
  void whenEmpty(Runnable action) {
    if (ring.inFlight() == 0 && !turnEndAsked) {
      action.run();
    } else {
      whenEmpty = action;
    }
  }

  @Override
  public boolean ready() {
    if (!running) {
      return false;
    }
    try {
      boolean available = ring.hasAvailable();
      tracker.settle();
      return available;
    } catch (InternalError e) {
      vanished(e);
      return false;
    }
  }

  @Override
  public void beginPolling() {
    polling = true;
    try {
      ring.disableNotifications();
      tracker.settle();
    } catch (InternalError e) {
      vanished(e);
    }
  }

  @Override
  public void endPolling() {
    polling = false;
    if (running) {
      try {
        ring.enableNotifications();
        tracker.settle();
      } catch (InternalError e) {
        vanished(e);
      }
    }
  }

  /**
   * What the driver has shared is not there any more: its own doing, and no fault of the device.
   */
  private void vanished(InternalError cause) {
    failed = true;
    running = false;
    broken.accept("queue " + ring.index() + ": memory is gone: " + cause.getMessage());
  }

  /**
   * Takes and sends what is available, after a ring full of it others of the context have their
   * turn first: a driver that is quick enough never lets its ring run dry.
   */
  @Override
  public void run() {
    if (!running || pausing) {
      return;
    }
    try {
      if (leftBehind.count() > 0) {
        takeLeftBehind();
      }
      do {
        ring.disableNotifications();
        takeAvailable();
      } while (running && !pausing && !polling && ring.enableNotifications());
      tracker.settle();
    } catch (InternalError e) {
      vanished(e);
    } catch (VirtqueueException e) {
      running = false;
      broken.accept(e.getMessage());
    } catch (RuntimeException | Error e) {
      // What was taken off the ring may be lost, and its driver would wait for it for ever.
      faulty(e);
      throw e;
    }
  }

  private void faulty(Throwable cause) {
    failed = true;
    running = false;
    broken.accept("a fault of the device itself: " + cause);
  }

  private void takeLeftBehind() throws VirtqueueException {
    LeftBehind left = leftBehind;
    leftBehind = LeftBehind.NONE;
    for (int i = 0; i < left.count() && running; i++) {
      VirtioBlkRequest request = unused();
      boolean taken = false;
      try {
        left.retake(i, request.chain);
        taken = true;
      } finally {
        if (!taken) {
          putBack(request);
        }
      }
      handle(request);
    }
  }

  private VirtioBlkRequest unused() {
    return freeCount > 0 ? free[--freeCount] : new VirtioBlkRequest(this, maxBuffers);
  }

  private void takeAvailable() throws VirtqueueException {
    for (int count = 0; count < ring.size(); count++) {
      VirtioBlkRequest request = unused();
      boolean taken = false;
      try {
        taken = ring.pop(request.chain);
      } finally {
        if (!taken) {
          putBack(request);
        }
      }
      if (!taken) {
        return;
      }
      tracker.taken(request.chain);
      handle(request);
      if (!running) {
        return;
      }
    }
    pausing = true;
    lane.context().execute(goOn);
  }

  private void handle(VirtioBlkRequest request) {
    switch (parser.parse(request)) {
      case SUBMIT -> submit(request);
      case IDENTIFIED -> answerIdentified(request);
      case IOERR -> answer(request, VirtioBlkFeatures.S_IOERR);
      case UNSUPP -> answer(request, VirtioBlkFeatures.S_UNSUPP);
      case MALFORMED -> {
        failed = true;
        running = false;
        giveBack(request, 0);
        broken.accept("a request without a header or a status byte");
      }
    }
  }

  private void submit(VirtioBlkRequest request) {
    if (!tracker.mayVanish()) {
      lane.submit(request);
      return;
    }
    // An error that is still to come shall come here, and not in the block layer.
    tracker.settle();
    switch (request.operation) {
      case READ, WRITE -> submitCopied(request, detour.enter(request));
      case FLUSH, DISCARD, WRITE_ZEROES -> lane.submit(request);
    }
  }

  private void submitCopied(VirtioBlkRequest request, int result) {
    if (result == 0) {
      lane.submit(request);
    } else if (result != -Errno.EAGAIN) {
      answer(request, VirtioBlkFeatures.S_IOERR);
    }
  }

  /** The backend has carried a request out. */
  void completed(VirtioBlkRequest request, int result) {
    boolean copied = request.detour != null;
    int end = copied ? detour.leave(request, result) : result;
    if (end != 0) {
      switch (errors.failed(request.operation, -end)) {
        case REPORT -> {}
        case IGNORE -> end = 0;
        case STOP -> {
          kept.add(request);
          return;
        }
      }
    }
    count(request);
    try {
      answer(request, end == 0 ? VirtioBlkFeatures.S_OK : VirtioBlkFeatures.S_IOERR);
      tracker.settle();
      if (copied) {
        submitWaiting();
      }
    } catch (InternalError e) {
      vanished(e);
    }
  }

  private void submitWaiting() {
    VirtioBlkRequest next;
    while (!failed && (next = detour.next()) != null) {
      submitCopied(next, detour.copyIn(next));
    }
  }

  private void count(VirtioBlkRequest request) {
    switch (request.operation) {
      case READ -> {
        stats.add(Counter.READS, 1);
        stats.add(Counter.READ_BYTES, request.length);
      }
      case WRITE -> {
        stats.add(Counter.WRITES, 1);
        stats.add(Counter.WRITE_BYTES, request.length);
      }
      case FLUSH -> stats.add(Counter.FLUSHES, 1);
      case DISCARD -> stats.add(Counter.DISCARDS, 1);
      case WRITE_ZEROES -> stats.add(Counter.WRITE_ZEROES, 1);
    }
  }

  private void answer(VirtioBlkRequest request, int status) {
    if (status == VirtioBlkFeatures.S_IOERR) {
      stats.add(Counter.FAILED, 1);
    } else if (status == VirtioBlkFeatures.S_UNSUPP) {
      stats.add(Counter.UNSUPPORTED, 1);
    }
    long writable = request.chain.writableBytes();
    request.chain.writeByte(writable - 1, status);
    // The used length counts from the first writable byte: where data before the status was not
    // written, nothing that the driver may count on was.
    boolean allWritten = status == VirtioBlkFeatures.S_OK || writable == 1;
    giveBack(request, allWritten ? writable : 0);
  }

  private void answerIdentified(VirtioBlkRequest request) {
    long writable = request.chain.writableBytes();
    request.chain.writeByte(writable - 1, VirtioBlkFeatures.S_OK);
    boolean allWritten = writable - 1 <= VirtioBlkFeatures.ID_BYTES;
    giveBack(request, allWritten ? writable : VirtioBlkFeatures.ID_BYTES);
  }

  private void giveBack(VirtioBlkRequest request, long usedLength) {
    tracker.finished(request.chain, usedLength);
    ring.push(request.chain, usedLength);
    putBack(request);
    if (!turnEndAsked) {
      turnEndAsked = true;
      lane.context().atTurnEnd(this);
    }
    if (++unpublished == PUBLISH_BATCH) {
      show();
    }
  }

  private void putBack(VirtioBlkRequest request) {
    if (freeCount == free.length) {
      free = Arrays.copyOf(free, 2 * freeCount);
    }
    free[freeCount++] = request;
  }

  @Override
  public void endTurn() {
    if (!turnEndAsked) {
      return;
    }
    turnEndAsked = false;
    if (unpublished > 0) {
      show();
    }
    if (whenEmpty != null && ring.inFlight() == 0) {
      Runnable action = whenEmpty;
      whenEmpty = null;
      action.run();
    }
  }

  private void show() {
    unpublished = 0;
    if (publish()) {
      stats.add(Counter.INTERRUPTS, 1);
      queue.interrupt().raise();
    }
  }

  private boolean publish() {
    try {
      boolean interrupts = ring.publish();
      tracker.published();
      tracker.settle();
      return interrupts;
    } catch (InternalError e) {
      vanished(e);
      return false;
    }
  }
}

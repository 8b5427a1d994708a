// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.throttle.ThrottleMember;
import dev.spindle.block.throttle.ThrottleQueue;
import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * A backend as seen from one AioContext: counts the requests in flight from there, and holds back
 * those that arrive while the backend is quiesced or drained, in order. What is not held back waits
 * for the backend's throttle group, if it is in one; only then is it in flight. Owner thread of the
 * context only, where nothing else is said.
 */
public final class BackendLane {
  private final BlockBackend backend;
  private final AioContext context;
  private final RequestQueue held = new RequestQueue();
  private final List<Runnable> idleWaiters = new ArrayList<>();

  /** Those who wait for throttled requests as well. */
  private final List<Runnable> drainWaiters = new ArrayList<>();

  // The way down. Changed by control work alone, while nothing is on its way.
  private BlockLane node;
  private long length;
  private boolean readOnly;

  private int inFlight;
  private final RequestCounts counts = new RequestCounts();

  /** Why requests are held back: one for a quiesced backend, one for each drain. */
  private int gates;

  /** What waits for the throttle group; null if the backend is in none. */
  private ThrottleQueue throttle;

  BackendLane(BlockBackend backend, AioContext context) {
    this.backend = backend;
    this.context = context;
    lead(openWay());
  }

  /** The context it belongs to. */
  public AioContext context() {
    return context;
  }

  /** Requests sent and not yet completed; those held back and those throttled do not count. */
  public int inFlight() {
    return inFlight;
  }

  /** What has ended here. Any thread. */
  RequestCounts counts() {
    return counts;
  }

  /** Sends a request on its way, or holds it back while the backend is quiesced. */
  public void submit(BlockRequest request) {
    request.lane = this;
    // Those that wait go first, also while they are being let go.
    if (gates > 0 || !held.isEmpty()) {
      held.add(request, request.offset);
      return;
    }
    admit(request);
  }

  private void admit(BlockRequest request) {
    if (throttle == null || passes(request)) {
      start(request);
    }
  }

  /** What will be refused is not asked about: its length may be anything. */
  private boolean passes(BlockRequest request) {
    return check(request) != 0 || throttle.passes(request, request.offset);
  }

  private void startThrottled(BlockRequest request, long offset) {
    start(request);
  }

  /** Sends a request of the control work that has closed the gate itself. */
  void submitPastGate(BlockRequest request) {
    request.lane = this;
    start(request);
  }

  private void start(BlockRequest request) {
    inFlight++;
    int refusal = check(request);
    if (refusal != 0) {
      request.complete(refusal);
      return;
    }
    if (backend.writeThrough()) {
      request.forceUnitAccess = true;
    }
    int ends = request.ends();
    try {
      node.submit(request, request.offset);
    } catch (RuntimeException | Error e) {
      request.failUnlessEnded(ends);
      throw e;
    }
  }

  private int check(BlockRequest request) {
    if (request.operation == BlockRequest.Operation.FLUSH) {
      return 0;
    }
    if (request.operation != BlockRequest.Operation.READ && readOnly) {
      return -Errno.EPERM;
    }
    boolean inside =
        request.offset >= 0 && request.length >= 0 && request.offset <= length - request.length;
    return inside ? 0 : -Errno.EIO;
  }

  /** As {@link BlockLane#allocated}, for the node. On a virtual thread of the context. */
  public long allocated(long offset, long bytes) {
    return node.allocated(offset, bytes);
  }

  /** As {@link BlockLane#blockStatus}, for the node. On a virtual thread of the context. */
  public BlockStatus blockStatus(long offset, long bytes) {
    return node.blockStatus(offset, bytes);
  }

  /** As {@link BlockLane#hostRange}, for the node. On a virtual thread of the context. */
  public HostRange hostRange(long offset, long bytes) {
    return node.hostRange(offset, bytes);
  }

  /** A request came back from the node. */
  void finish(BlockRequest request, int result) {
    counts.count(request, result);
    try {
      request.completed(result);
    } finally {
      ended();
    }
  }

  private void ended() {
    inFlight--;
    if (inFlight == 0) {
      wake(idleWaiters);
      if (!drainWaiters.isEmpty() && nothingThrottled()) {
        wake(drainWaiters);
      }
    }
  }

  private boolean nothingThrottled() {
    return throttle == null || throttle.isEmpty();
  }

  private void wake(List<Runnable> waiters) {
    if (!waiters.isEmpty()) {
      List<Runnable> woken = List.copyOf(waiters);
      waiters.clear();
      woken.forEach(this::atTurnEnd);
    }
  }

  /**
   * Whoever takes part in this turn has then told his own user what was completed in it: the user
   * does not hear of it from here after others have gone on.
   */
  private void atTurnEnd(Runnable action) {
    context.atTurnEnd(action::run);
  }

  /** Holds back what arrives from now on. */
  void closeGate() {
    gates++;
  }

  /** Ends one {@link #closeGate}; the last one lets go what was held, in order. Never waits. */
  void openGate() {
    gates--;
    letGo();
  }

  private void letGo() {
    // A request that completes at once may close the gate again: what is left then stays held.
    while (gates == 0 && !held.isEmpty()) {
      try {
        admit(held.remove());
      } catch (RuntimeException | Error e) {
        // Nobody else would let go those behind it.
        context.execute(this::letGo);
        throw e;
      }
    }
  }

  /** Runs {@code action} at the end of the turn in which nothing is in flight any more. */
  void whenIdle(Runnable action) {
    if (inFlight == 0) {
      atTurnEnd(action);
    } else {
      idleWaiters.add(action);
    }
  }

  /**
   * As {@link #whenIdle}, but soon: throttle nodes on the way let this lane's requests pass, and
   * nobody else's. What waits for the backend's own throttle group is not on the way.
   */
  void whenIdleSoon(Runnable action) {
    if (inFlight == 0) {
      atTurnEnd(action);
      return;
    }
    BlockLane way = node;
    way.hurryBegin();
    whenIdle(
        () -> {
          try {
            way.hurryEnd();
          } finally {
            action.run();
          }
        });
  }

  /** Runs {@code action} at the end of the turn in which nothing is in flight nor throttled. */
  void whenDrained(Runnable action) {
    if (inFlight == 0 && nothingThrottled()) {
      atTurnEnd(action);
    } else {
      drainWaiters.add(action);
    }
  }

  /**
   * Has requests wait for a throttle group from now on, or for none if {@code member} is null;
   * those that wait go first.
   */
  void setThrottle(ThrottleMember member) {
    RequestQueue waiting = new RequestQueue();
    if (throttle != null) {
      throttle.withdrawAll(waiting);
      throttle.close();
    }
    throttle = member == null ? null : new ThrottleQueue(context, member, this::startThrottled);
    waiting.addAll(held);
    held.addAll(waiting);
    letGo();
  }

  /**
   * Takes over what waits in another lane of the backend: what is throttled there, then what is
   * held back. Both lanes stand still. Any thread.
   */
  public void adopt(BackendLane other) {
    RequestQueue waiting = new RequestQueue();
    if (other.throttle != null) {
      other.throttle.withdrawAll(waiting);
    }
    waiting.addAll(other.held);
    while (!waiting.isEmpty()) {
      BlockRequest request = waiting.remove();
      request.lane = this;
      held.add(request, request.offset);
    }
  }

  /**
   * Drops what is throttled and what is held back, for a user who is reset: those requests never go
   * on their way, nobody hears of them again, and their memory is not touched. Nobody waits for a
   * {@link BlockBackend#drain}.
   */
  public void discardWaiting() {
    if (throttle != null) {
      throttle.withdrawAll(held);
    }
    while (!held.isEmpty()) {
      held.remove();
    }
  }

  /** Makes the way that leads through the backend's node as it is now. */
  BlockLane openWay() {
    return backend.node().openLane(context);
  }

  /**
   * Has requests go another way from now on. Nothing is on its way. On the context, or by control
   * work in a drained section.
   *
   * @return the former way
   */
  BlockLane lead(BlockLane way) {
    BlockLane former = node;
    node = way;
    length = backend.node().length();
    readOnly = backend.node().readOnly();
    return former;
  }

  /** As {@link #close}, for those outside the lane's context. Any thread that may wait. */
  public void closeInContext() {
    context.call(
        () -> {
          close();
          return null;
        });
  }

  /** Ends the lane. Nothing may be in flight, held or throttled. */
  public void close() {
    if (inFlight > 0 || !held.isEmpty() || !nothingThrottled()) {
      throw new IllegalStateException(
          backend.describe() + " still has requests on " + context.name());
    }
    if (throttle != null) {
      throttle.close();
    }
    node.close();
    backend.forget(this);
  }
}

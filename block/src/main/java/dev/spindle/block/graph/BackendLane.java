// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * A backend as seen from one AioContext: counts the requests in flight from there, and holds back
 * those that arrive while the backend is quiesced or drained, in order. Owner thread of the context
 * only, where nothing else is said.
 */
public final class BackendLane {
  private final BlockBackend backend;
  private final AioContext context;
  private final RequestQueue held = new RequestQueue();
  private final List<Runnable> idleWaiters = new ArrayList<>();

  // The way down. Changed by control work alone, while nothing is on its way.
  private BlockLane node;
  private long length;
  private boolean readOnly;

  private int inFlight;

  /** Why requests are held back: one for a quiesced backend, one for each drain. */
  private int gates;

  BackendLane(BlockBackend backend, AioContext context) {
    this.backend = backend;
    this.context = context;
    lead(openWay());
  }

  /** The context it belongs to. */
  public AioContext context() {
    return context;
  }

  /** Requests sent and not yet completed; those held back do not count. */
  public int inFlight() {
    return inFlight;
  }

  /** Sends a request on its way, or holds it back while the backend is quiesced. */
  public void submit(BlockRequest request) {
    request.lane = this;
    // Those that wait go first, also while they are being let go.
    if (gates > 0 || !held.isEmpty()) {
      held.add(request);
      return;
    }
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
    node.submit(request, request.offset);
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

  /** A request came back from the node. */
  void finish(BlockRequest request, int result) {
    request.completed(result);
    inFlight--;
    if (inFlight == 0 && !idleWaiters.isEmpty()) {
      List<Runnable> waiters = List.copyOf(idleWaiters);
      idleWaiters.clear();
      waiters.forEach(this::atTurnEnd);
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
    // A request that completes at once may close the gate again: what is left then stays held.
    while (gates == 0 && !held.isEmpty()) {
      start(held.remove());
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

  /** Takes over what another lane of the backend holds back. Both stand still. Any thread. */
  public void adopt(BackendLane other) {
    while (!other.held.isEmpty()) {
      BlockRequest request = other.held.remove();
      request.lane = this;
      held.add(request);
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

  /** Ends the lane. Nothing may be in flight or held. */
  public void close() {
    if (inFlight > 0 || !held.isEmpty()) {
      throw new IllegalStateException(
          backend.describe() + " still has requests on " + context.name());
    }
    node.close();
    backend.forget(this);
  }
}

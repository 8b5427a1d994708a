// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import dev.spindle.linux.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * A backend as seen from one AioContext: counts the requests in flight from there, and holds back
 * those that arrive while the backend is quiesced, in order. Owner thread of the context only.
 */
public final class BackendLane {
  private final BlockBackend backend;
  private final AioContext context;
  private final BlockLane node;
  private final long length;
  private final boolean readOnly;

  private int inFlight;
  private int quiesced;
  private BlockRequest heldFirst;
  private BlockRequest heldLast;
  private final List<Runnable> idleWaiters = new ArrayList<>();

  BackendLane(BlockBackend backend, AioContext context) {
    this.backend = backend;
    this.context = context;
    this.node = backend.node().openLane(context);
    this.length = backend.node().length();
    this.readOnly = backend.node().readOnly();
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
    request.next = null;
    if (quiesced > 0) {
      if (heldLast == null) {
        heldFirst = request;
      } else {
        heldLast.next = request;
      }
      heldLast = request;
      return;
    }
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
      waiters.forEach(Runnable::run);
    }
  }

  /** Holds back what arrives from now on; {@code whenIdle} runs once nothing is in flight. */
  void quiesce(Runnable whenIdle) {
    quiesced++;
    if (inFlight == 0) {
      whenIdle.run();
    } else {
      idleWaiters.add(whenIdle);
    }
  }

  /** Ends one {@link #quiesce}; the last one lets go what was held, in order. Never waits. */
  void resume() {
    quiesced--;
    // A request that completes at once may quiesce again: what is left then stays held.
    while (quiesced == 0 && heldFirst != null) {
      BlockRequest request = heldFirst;
      heldFirst = request.next;
      if (heldFirst == null) {
        heldLast = null;
      }
      request.next = null;
      start(request);
    }
  }

  /** Ends the lane. Nothing may be in flight or held. */
  public void close() {
    if (inFlight > 0 || heldFirst != null) {
      throw new IllegalStateException(
          backend.describe() + " still has requests on " + context.name());
    }
    node.close();
    backend.forget(this);
  }
}

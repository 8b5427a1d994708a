// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import dev.spindle.vmm.tool.ToolRequest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps an image busy with so many requests at a time, one behind the other. All of it runs on the
 * tool's context, as callbacks.
 */
final class BenchRun {
  /**
   * What is to be done.
   *
   * @param count requests, without flushes
   * @param depth how many are on their way at most
   * @param offset of the first, bytes
   * @param size of each, bytes
   * @param step from one to the next, bytes
   * @param pattern what is written
   * @param flushInterval requests between flushes; 0 for none
   * @param drains whether a flush waits for the requests before it, and those after it for the
   *     flush
   */
  record Plan(
      int count,
      int depth,
      long offset,
      int size,
      long step,
      boolean writes,
      byte pattern,
      int flushInterval,
      boolean drains) {}

  private final ToolImage image;
  private final Plan plan;
  private final CompletableFuture<Void> end = new CompletableFuture<>();

  /** A request with memory of its own. */
  private record Slot(ToolRequest request, MemorySegment data) {}

  /** Those that are not on their way. */
  private final Slot[] free;

  private int freeCount;
  private int inFlight;
  private int sent;

  /** Of {@link #sent}, those before the last flush. */
  private int flushed;

  private boolean flushing;
  private long offset;
  private int failure;

  /** A request may end while it is sent: who sends goes on then, not who hears of it. */
  private boolean sending;

  BenchRun(ToolImage image, Plan plan) {
    this.image = image;
    this.plan = plan;
    this.free = new Slot[Math.min(plan.depth, plan.count)];
    this.offset = plan.offset;
  }

  /**
   * Runs all of it.
   *
   * @throws ToolException if a request fails
   */
  void run() throws ToolException {
    Arena arena = Arena.ofAuto();
    for (int i = 0; i < free.length; i++) {
      Slot slot = new Slot(new ToolRequest(1), arena.allocate(plan.size, 4096).fill(plan.pattern));
      slot.request.then(() -> ended(slot));
      free[i] = slot;
    }
    freeCount = free.length;
    pump();
    end.join();
    if (failure < 0) {
      throw new ToolException("Failed request: " + Errno.message(-failure));
    }
  }

  private void pump() {
    if (sending) {
      return;
    }
    sending = true;
    while (failure == 0 && !flushing && freeCount > 0 && sent < plan.count) {
      if (isFlushDue()) {
        if (plan.drains && inFlight > 0) {
          break;
        }
        flush();
      } else {
        send();
      }
    }
    if (failure == 0 && sent == plan.count && inFlight == 0 && isFlushDue()) {
      flush();
    }
    sending = false;
    if (inFlight == 0 && (failure < 0 || sent == plan.count)) {
      end.complete(null);
    }
  }

  private boolean isFlushDue() {
    return plan.flushInterval > 0 && sent - flushed == plan.flushInterval;
  }

  private void send() {
    if (offset + plan.size > image.length()) {
      failure = -Errno.EIO;
      return;
    }
    Slot slot = free[--freeCount];
    slot.request
        .set(plan.writes ? Operation.WRITE : Operation.READ, offset, plan.size)
        .with(slot.data);
    offset = (offset + plan.step) % image.length();
    sent++;
    inFlight++;
    slot.request.send(image.lane());
  }

  private void flush() {
    flushed = sent;
    flushing = plan.drains;
    inFlight++;
    ToolRequest request = new ToolRequest(1).set(Operation.FLUSH, 0, 0);
    request.then(() -> flushEnded(request)).send(image.lane());
  }

  private void flushEnded(ToolRequest request) {
    flushing = false;
    note(request);
  }

  private void ended(Slot slot) {
    free[freeCount++] = slot;
    note(slot.request);
  }

  private void note(ToolRequest request) {
    inFlight--;
    if (request.result() < 0) {
      failure = request.result();
    }
    pump();
  }
}

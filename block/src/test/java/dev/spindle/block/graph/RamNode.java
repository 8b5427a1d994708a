// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A disk in memory that takes its time: some requests end at once, some on a later turn, some after
 * a while. Notes when it gets one that it must not get.
 */
final class RamNode extends MemoryNode {
  private final MemorySegment data;
  private final Fault fault;
  final AtomicInteger inFlight = new AtomicInteger();

  /** Set while a section says that nothing may be going on here. */
  volatile boolean still;

  final AtomicReference<String> violation = new AtomicReference<>();

  RamNode(String name, AioContext home, Arena arena, long length, Fault fault) {
    super(name, "ram", home);
    this.data = arena.allocate(length);
    this.fault = fault;
  }

  /** What it holds; nobody writes. */
  byte[] bytes() {
    return data.toArray(ValueLayout.JAVA_BYTE);
  }

  /** Writes past the graph, which must not be. */
  void scribble(long offset, long value) {
    data.set(ValueLayout.JAVA_LONG, offset, value);
  }

  @Override
  public long length() {
    return data.byteSize();
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new MemoryLane() {
      @Override
      public void submit(BlockRequest request, long offset) {
        context.assertOwner();
        inFlight.incrementAndGet();
        if (still) {
          violation.compareAndSet(null, "a request came to '" + name() + "' inside a section");
        }
        // How long it takes is no part of what a seed repeats: threads race anyhow.
        switch (ThreadLocalRandom.current().nextInt(4)) {
          case 0 -> end(request, offset);
          case 1, 2 -> context.execute(() -> end(request, offset));
          default ->
              context.startTimer(
                  ThreadLocalRandom.current().nextInt(50_000), () -> end(request, offset));
        }
      }
    };
  }

  private void end(BlockRequest request, long offset) {
    transfer(request, data, offset);
    inFlight.decrementAndGet();
    boolean strikes = ThreadLocalRandom.current().nextInt(200) == 0;
    if (fault == Fault.LOSES_A_REQUEST && strikes) {
      return;
    }
    request.complete(0);
    if (fault == Fault.COMPLETES_TWICE && strikes) {
      request.complete(0);
    }
  }
}

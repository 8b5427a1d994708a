// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.Timer;
import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.NbdStream;
import dev.spindle.block.nbd.RequestHeader;
import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Tells a server that nothing more will come, and closes the connection. On the main loop, and
 * nobody waits for it: a server that does not listen is left without a word.
 */
final class Farewell implements NbdStream.Listener {
  private static final long LONGEST_NS = TimeUnit.SECONDS.toNanos(1);

  private final AioContext main;
  private final Link link;
  private final IoVector message = new IoVector(1);
  private Timer limit;

  private Farewell(AioContext main, Link link) {
    this.main = main;
    this.link = link;
  }

  /** Any thread; the link's stream is at rest. */
  static void say(AioContext main, Link link) {
    Farewell farewell = new Farewell(main, link);
    try {
      main.execute(farewell::begin);
    } catch (RejectedExecutionException e) {
      // Everything ends.
      link.stream().close();
    }
  }

  private void begin() {
    RequestHeader header = new RequestHeader();
    header.command = Command.DISC;
    int bytes = link.terms().style().requestBytes();
    MemorySegment memory = Arena.ofAuto().allocate(bytes, 8);
    header.write(memory, 0, link.terms().style());
    message.add(memory, 0, bytes);
    limit = main.startTimer(LONGEST_NS, link.stream()::shutdown);
    link.stream().start(main, this);
    link.stream().send(message);
  }

  @Override
  public void sent(int result) {
    limit.cancel();
    link.stream().shutdown();
    link.stream().stop(this::end);
  }

  private void end() {
    link.stream().close();
  }

  @Override
  public void received(int result) {
    // Nothing is received.
  }
}

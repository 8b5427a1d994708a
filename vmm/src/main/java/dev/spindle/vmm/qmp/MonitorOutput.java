// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/**
 * What a monitor says to its client, written by a thread of its own so that nobody has to wait for
 * a client that does not read. Any thread.
 */
final class MonitorOutput implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MonitorOutput.class);

  /** So much may wait for the client to read it. */
  private static final long MOST_BYTES = 16 << 20;

  private static final Duration PATIENCE = Duration.ofSeconds(1);

  private final String name;
  private final OutputStream output;
  private final Runnable onFailure;
  private final Thread writer;

  /** Guarded by this object's monitor, as what follows is. */
  private final Deque<byte[]> waiting = new ArrayDeque<>();

  private long waitingBytes;
  private boolean closing;
  private boolean failed;

  /**
   * Begins.
   *
   * @param onFailure called once if the client does not take what is said; any thread
   */
  MonitorOutput(String name, OutputStream output, Runnable onFailure) {
    this.name = name;
    this.output = output;
    this.onFailure = onFailure;
    this.writer = Thread.ofPlatform().daemon().name(name + "-output").start(this::write);
  }

  /** Says it after all that has been said before. Does not wait. */
  void say(JsonNode message) {
    byte[] line = (message + "\r\n").getBytes(StandardCharsets.UTF_8);
    boolean tooMuch;
    synchronized (this) {
      if (closing || failed) {
        return;
      }
      tooMuch = waitingBytes + line.length > MOST_BYTES;
      if (tooMuch) {
        failed = true;
      } else {
        waiting.add(line);
        waitingBytes += line.length;
      }
      notifyAll();
    }
    if (tooMuch) {
      LOG.warn("{}: the client leaves more than {} MiB unread", name, MOST_BYTES >> 20);
      onFailure.run();
    }
  }

  private void write() {
    try {
      byte[] line;
      while ((line = take()) != null) {
        output.write(line, 0, line.length);
        output.flush();
      }
    } catch (IOException e) {
      LOG.debug("{}: the client has gone: {}", name, e.getMessage());
      synchronized (this) {
        failed = true;
      }
      onFailure.run();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized byte[] take() throws InterruptedException {
    while (waiting.isEmpty() && !closing && !failed) {
      wait();
    }
    byte[] line = failed ? null : waiting.poll();
    waitingBytes -= line == null ? 0 : line.length;
    return line;
  }

  /** Waits until all is said or the client has gone, but not long for one that does not read. */
  @Override
  public void close() {
    synchronized (this) {
      closing = true;
      notifyAll();
    }
    try {
      writer.join(PATIENCE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

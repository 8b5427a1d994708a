// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import java.io.IOException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether requests wait for a channel's connection, and how it is made. The channel's context,
 * where nothing else is said; what has to wait does so on the main loop.
 */
final class Reconnection {
  private static final Logger LOG = LoggerFactory.getLogger(Reconnection.class);

  /** How long a first connection may take. */
  private static final long FIRST_NS = TimeUnit.SECONDS.toNanos(10);

  /** Between attempts that nobody waits for. */
  private static final long PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(200);

  private final NbdNode node;
  private final Channel channel;

  /** Whether requests are refused as long as there is no connection. */
  private boolean givenUp;

  /** When a connection was lost that no answer has come after; only if {@link #fruitless}. */
  private long lostAt;

  /** Connections lost since the last answer. */
  private int fruitless;

  /** Whether somebody is at work on a connection. */
  private boolean busy;

  private long nextAttempt;
  private boolean attempted;

  /** Main loop only. */
  private Connector connector;

  /** Main loop only. */
  private boolean cancelled;

  Reconnection(NbdNode node, Channel channel) {
    this.node = node;
    this.channel = channel;
  }

  /** An answer has come: the connection is good. */
  void progress() {
    fruitless = 0;
  }

  /** Whether a request may wait for a connection; if not, one may be tried for those to come. */
  boolean mayWait() {
    if (givenUp) {
      tryInVain();
    }
    return !givenUp;
  }

  /**
   * A connection has been lost.
   *
   * @return whether requests are to wait for another
   */
  boolean lost() {
    if (fruitless++ == 0) {
      lostAt = System.nanoTime();
    }
    givenUp = patienceLeft() <= 0;
    if (givenUp) {
      tryInVain();
    }
    return !givenUp;
  }

  /** Requests are refused until there is a connection. */
  void givenUp() {
    givenUp = true;
    nextAttempt = System.nanoTime() + PAUSE_NS;
    attempted = true;
  }

  private long patienceLeft() {
    long delay = TimeUnit.SECONDS.toNanos(node.options().reconnectDelay());
    return fruitless == 0 ? Math.max(FIRST_NS, delay) : delay - (System.nanoTime() - lostAt);
  }

  /** Makes a connection for requests that wait. */
  void begin(ExportTerms terms) {
    // A server that takes connections only to drop them is not asked again at once.
    long pause = fruitless <= 1 ? 0 : Math.min(PAUSE_NS << Math.min(fruitless, 5), patienceLeft());
    start(patienceLeft(), pause, terms);
  }

  private void tryInVain() {
    if (!attempted || System.nanoTime() - nextAttempt >= 0) {
      start(0, 0, channel.terms());
    }
  }

  private void start(long patienceNs, long pauseNs, ExportTerms terms) {
    if (busy) {
      return;
    }
    busy = true;
    AioContext main = node.main();
    main.startVirtual(
        "nbd-" + node.name(), () -> connect(main, terms, patienceNs, Math.max(0, pauseNs)));
  }

  private void connect(AioContext main, ExportTerms terms, long patienceNs, long pauseNs) {
    Link link = null;
    String failure = null;
    try {
      connector = new Connector(main, node.options(), node.tls(), terms);
      if (!cancelled) {
        connector.pause(pauseNs);
        link = connector.connect(patienceNs - pauseNs);
      }
    } catch (IOException e) {
      failure = e.getMessage();
    } finally {
      connector = null;
      Link made = link;
      String reason = failure;
      channel.post(() -> ended(made, reason));
    }
  }

  private void ended(Link made, String failure) {
    busy = false;
    nextAttempt = System.nanoTime() + PAUSE_NS;
    attempted = true;
    if (made != null) {
      if (givenUp || fruitless > 0) {
        LOG.warn("node '{}': connected to {} again", node.name(), node.options().target());
      }
      givenUp = false;
      channel.connected(made);
      return;
    }
    if (!givenUp) {
      LOG.warn("node '{}': no connection to {}: {}", node.name(), node.options().target(), failure);
      givenUp = true;
    }
    channel.giveUp();
  }

  /** Nobody wants a connection any more. Any thread; the channel has no context. */
  void cancel() {
    try {
      node.main()
          .execute(
              () -> {
                cancelled = true;
                if (connector != null) {
                  connector.cancel();
                }
              });
    } catch (RejectedExecutionException e) {
      LOG.debug("node '{}': the main loop has ended", node.name());
    }
  }
}

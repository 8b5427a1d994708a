// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.Timer;
import dev.spindle.block.nbd.PlainChannel;
import dev.spindle.linux.Endpoint;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.SocketName;
import dev.spindle.linux.StreamSocket;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;

/**
 * Makes one connection to a server, if need be by many attempts. Straight-line code on the main
 * loop, which is there as long as anybody, whatever becomes of the context that wants a connection.
 */
final class Connector {
  /** The longest that a server may take to be found, and to let us in. */
  private static final long ATTEMPT_NS = TimeUnit.SECONDS.toNanos(10);

  private static final long FIRST_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long LONGEST_PAUSE_NS = TimeUnit.SECONDS.toNanos(2);

  private final AioContext main;
  private final NbdOptions options;

  /** Makes the client's end of TLS; null for no TLS. */
  private final Supplier<SSLEngine> tls;

  /** What the connection must be like; null if it is the first. */
  private final ExportTerms before;

  private final Thread thread = Thread.currentThread();
  private boolean cancelled;

  /** What keeps the present attempt waiting; null between attempts. */
  private SocketConnect connecting;

  private StreamSocket connected;

  Connector(AioContext main, NbdOptions options, Supplier<SSLEngine> tls, ExportTerms before) {
    main.assertOwner();
    this.main = main;
    this.options = options;
    this.tls = tls;
    this.before = before;
  }

  /**
   * Tries until there is a connection, or the time is over; at least once.
   *
   * @param patienceNs how long, in nanoseconds
   * @throws IOException why the last attempt failed
   */
  Link connect(long patienceNs) throws IOException {
    long start = System.nanoTime();
    long pause = FIRST_PAUSE_NS;
    while (true) {
      long used = System.nanoTime() - start;
      try {
        long limit = patienceNs > used ? Math.min(ATTEMPT_NS, patienceNs - used) : ATTEMPT_NS;
        return attempt(limit);
      } catch (IOException e) {
        if (cancelled || System.nanoTime() - start + pause >= patienceNs) {
          throw e;
        }
      }
      LockSupport.parkNanos(this, pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_NS);
    }
  }

  /** Waits before the first attempt. */
  void pause(long ns) {
    long end = System.nanoTime() + ns;
    while (!cancelled && System.nanoTime() - end < 0) {
      LockSupport.parkNanos(this, end - System.nanoTime());
    }
  }

  /** Has it give up soon. On the main loop. */
  void cancel() {
    cancelled = true;
    breakOff();
    LockSupport.unpark(thread);
  }

  private void breakOff() {
    if (connecting != null) {
      connecting.cancel();
    }
    if (connected != null) {
      try {
        connected.shutdown();
      } catch (LinuxException e) {
        // Then it has failed already.
      }
    }
  }

  private Link attempt(long limitNs) throws IOException {
    IOException last = null;
    Timer limit = main.startTimer(limitNs, this::breakOff);
    long deadline = System.nanoTime() + limitNs;
    try {
      for (Endpoint endpoint : options.server().resolve(limitNs)) {
        try {
          return attempt(endpoint);
        } catch (IOException e) {
          last = e;
        }
        if (System.nanoTime() - deadline >= 0) {
          throw new NegotiationException("the server takes too long to let a client in");
        }
      }
    } finally {
      limit.cancel();
    }
    throw last;
  }

  private Link attempt(Endpoint endpoint) throws IOException {
    StreamSocket socket = StreamSocket.create(endpoint);
    boolean kept = false;
    try {
      connectTo(endpoint, socket);
      connected = socket;
      if (endpoint instanceof Endpoint.Inet) {
        socket.setNoDelay();
      }
      Link link = Negotiation.run(new PlainChannel(main, socket), options, tls);
      String unlike = before == null ? null : link.terms().unlike(before);
      if (unlike != null) {
        throw new NegotiationException(unlike);
      }
      if (cancelled) {
        throw new NegotiationException("nobody wants it any more");
      }
      kept = true;
      return link;
    } finally {
      connected = null;
      if (!kept) {
        socket.close();
      }
    }
  }

  private void connectTo(Endpoint endpoint, StreamSocket socket) throws IOException {
    connecting = new SocketConnect(main, socket, new SocketName(endpoint));
    try {
      int result = connecting.run();
      if (result < 0) {
        throw new NegotiationException("cannot connect: " + Errno.message(-result));
      }
    } finally {
      connecting = null;
    }
  }
}

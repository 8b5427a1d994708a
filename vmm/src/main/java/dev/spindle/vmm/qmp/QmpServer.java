// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.linux.Endpoint;
import dev.spindle.linux.ListeningSocket;
import dev.spindle.linux.StreamSocket;
import dev.spindle.linux.UnixSocket;
import dev.spindle.vmm.chardev.SharedSocket;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A place where clients find a monitor, one client at a time: the next one is greeted when the one
 * before has gone.
 */
public final class QmpServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(QmpServer.class);

  /** How many clients may wait for the one before them to go. */
  private static final int BACKLOG = 50;

  private final String name;
  private final Endpoint endpoint;
  private final MonitorSite site;
  private final SharedSocket listener;
  private final CompletableFuture<Void> firstClient = new CompletableFuture<>();
  private final Thread thread;

  /** Null while nobody is connected. Written by the thread that serves. */
  private volatile SharedSocket client;

  /** Set once, by whoever closes. */
  private volatile boolean closed;

  private QmpServer(String name, Endpoint endpoint, SharedSocket listener, MonitorSite site) {
    this.name = name;
    this.endpoint = endpoint;
    this.listener = listener;
    this.site = site;
    this.thread = Thread.ofPlatform().daemon().name(name).start(this::serve);
  }

  /**
   * Listens. A local socket is its user's alone (mode 0600) from the beginning.
   *
   * @param name what messages and threads call it
   * @throws IOException with a sentence for the user
   */
  public static QmpServer listen(String name, Endpoint endpoint, MonitorSite site)
      throws IOException {
    try {
      StreamSocket socket = ListeningSocket.open(endpoint, BACKLOG, ListeningSocket.Access.OWNER);
      Endpoint bound = endpoint instanceof Endpoint.Unix ? endpoint : socket.localEndpoint();
      return new QmpServer(name, bound, new SharedSocket(UnixSocket.adopt(socket.fd())), site);
    } catch (IOException e) {
      throw new IOException(name + ": " + e.getMessage(), e);
    }
  }

  /** Where it listens, with the port that it really has. Any thread. */
  public Endpoint endpoint() {
    return endpoint;
  }

  /** Completes when the first client has connected; exceptionally if none will. */
  public CompletableFuture<Void> firstClient() {
    return firstClient;
  }

  private void serve() {
    try {
      while (true) {
        SharedSocket connected = listener.accept();
        client = connected;
        firstClient.complete(null);
        if (!closed) {
          new QmpMonitor(name, connected.input(), output(connected), site, () -> hangUp(connected))
              .run();
        }
        client = null;
        hangUp(connected);
      }
    } catch (IOException e) {
      firstClient.completeExceptionally(e);
      if (!closed) {
        LOG.warn("{} takes no more clients: {}", name, e.getMessage());
      }
    }
  }

  private static OutputStream output(SharedSocket socket) {
    return new OutputStream() {
      @Override
      public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
      }

      @Override
      public void write(byte[] bytes, int offset, int length) throws IOException {
        socket.write(bytes, offset, length);
      }
    };
  }

  private static void hangUp(SharedSocket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      LOG.debug("{}", e.getMessage());
    }
  }

  /**
   * Takes no more clients, has the one who is there answered what it has asked, and hangs up. Not
   * from control work.
   */
  @Override
  public void close() {
    closed = true;
    hangUp(listener);
    SharedSocket connected = client;
    if (connected != null) {
      connected.endInput();
    }
    try {
      thread.join();
      if (endpoint instanceof Endpoint.Unix(Path path)) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      LOG.warn("{} stays behind: {}", endpoint, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

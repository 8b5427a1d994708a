// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.StreamSink;
import dev.spindle.devices.serial.Uart16550;
import dev.spindle.linux.Endpoint;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.ListenException;
import dev.spindle.linux.ListeningSocket;
import dev.spindle.linux.StreamSocket;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Unix stream socket, with one peer at a time. Output without a peer is dropped; a peer that does
 * not read holds the guest's output back. A server waits for the next peer when one has gone.
 */
final class SocketChardev implements Chardev {
  private static final Logger LOG = LoggerFactory.getLogger(SocketChardev.class);

  /** How many peers may wait for the one before them to go. */
  private static final int BACKLOG = 50;

  private final String name;
  private final Path path;

  /** Null in a client. */
  private final SharedSocket server;

  private final StreamSink sink;

  /** Null while nobody is connected. Written by the thread that serves. */
  private volatile SharedSocket peer;

  /** Set once, by whoever closes. */
  private volatile boolean closed;

  private final CompletableFuture<Void> ready = new CompletableFuture<>();

  private SocketChardev(
      String name, Path path, SharedSocket server, SharedSocket peer, boolean wait) {
    this.name = name;
    this.path = path;
    this.server = server;
    this.peer = peer;
    if (!wait) {
      ready.complete(null);
    }
    this.sink = new StreamSink(name, new ToPeer());
  }

  /**
   * Connects to a socket somebody else listens at.
   *
   * @throws IOException with a sentence for the user
   */
  static SocketChardev connectTo(String name, Path path) throws IOException {
    try {
      UnixSocket peer = UnixSocket.connect(path, UnixSocket.Type.STREAM);
      return new SocketChardev(name, path, null, new SharedSocket(peer), false);
    } catch (LinuxException e) {
      throw new IOException(
          "--serial unix: cannot connect to '%s': %s".formatted(path, Errno.message(e.errno())), e);
    }
  }

  /**
   * Listens at a path where nobody else does.
   *
   * @param wait whether it is {@link #ready} only when the first peer has connected
   * @throws IOException with a sentence for the user
   */
  static SocketChardev listenAt(String name, Path path, boolean wait) throws IOException {
    try {
      StreamSocket server =
          ListeningSocket.open(new Endpoint.Unix(path), BACKLOG, ListeningSocket.Access.UMASK);
      SharedSocket shared = new SharedSocket(UnixSocket.adopt(server.fd()));
      return new SocketChardev(name, path, shared, null, wait);
    } catch (ListenException e) {
      throw new IOException("--serial unix: " + e.getMessage(), e);
    }
  }

  @Override
  public SerialSink sink() {
    return sink;
  }

  @Override
  public void connect(Uart16550 port) {
    if (!ready.isDone()) {
      LOG.warn("{} waits for a connection to {}", name, path);
    }
    Thread.ofPlatform().daemon().name(name + "-input").start(() -> serve(port));
  }

  @Override
  public CompletableFuture<Void> ready() {
    return ready;
  }

  private void serve(Uart16550 port) {
    try {
      do {
        SharedSocket current = peer;
        if (current == null) {
          current = server.accept();
          peer = current;
          if (closed) {
            // Whoever closed may have looked for a peer before there was this one.
            current.close();
            throw new IOException("closed");
          }
          ready.complete(null);
        }
        carry(current, port);
        peer = null;
        current.close();
      } while (server != null);
    } catch (IOException e) {
      boolean waiting = ready.completeExceptionally(e);
      if (!closed && !waiting) {
        LOG.warn("{} is disconnected: {}", name, e.getMessage());
      }
    } catch (InterruptedException e) {
      LOG.debug("{} is not read any more", name);
    }
  }

  private void carry(SharedSocket current, Uart16550 port) throws InterruptedException {
    try {
      new InputPump(current.input(), null, port, current::isPeerGone).run();
    } catch (IOException e) {
      LOG.debug("{}: the peer has gone: {}", name, e.getMessage());
    }
  }

  @Override
  public void close() {
    closed = true;
    sink.close();
    try {
      SharedSocket current = peer;
      if (current != null) {
        current.close();
      }
      if (server != null) {
        server.close();
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      LOG.warn("{} cannot be closed: {}", name, e.getMessage());
    }
  }

  /** Writes to whoever is connected. */
  private final class ToPeer extends OutputStream {
    @Override
    public void write(int value) {
      write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      SharedSocket current = peer;
      if (current == null) {
        return;
      }
      try {
        current.write(bytes, offset, length);
      } catch (IOException e) {
        LOG.debug("{}: output went to nobody: {}", name, e.getMessage());
      }
    }
  }
}

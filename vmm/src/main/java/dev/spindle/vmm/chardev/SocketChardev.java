// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.devices.serial.SerialSink;
import dev.spindle.devices.serial.StreamSink;
import dev.spindle.devices.serial.Uart16550;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
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

  private final String name;
  private final Path path;

  /** Null in a client. */
  private final ServerSocketChannel server;

  private final StreamSink sink;

  /** Null while nobody is connected. Written by the thread that serves. */
  private volatile SocketChannel peer;

  private volatile boolean closed;

  private final CompletableFuture<Void> ready = new CompletableFuture<>();

  private SocketChardev(
      String name, Path path, ServerSocketChannel server, SocketChannel peer, boolean wait) {
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
      SocketChannel peer = SocketChannel.open(UnixDomainSocketAddress.of(path));
      return new SocketChardev(name, path, null, peer, false);
    } catch (IOException e) {
      throw new IOException(
          "--serial unix: cannot connect to '" + path + "': " + e.getMessage(), e);
    }
  }

  /**
   * Listens at a path where nothing is yet.
   *
   * @param wait whether it is {@link #ready} only when the first peer has connected
   * @throws IOException with a sentence for the user
   */
  static SocketChardev listenAt(String name, Path path, boolean wait) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      server.bind(UnixDomainSocketAddress.of(path));
    } catch (IOException e) {
      server.close();
      throw new IOException("--serial unix: cannot listen at '" + path + "': " + e.getMessage(), e);
    }
    return new SocketChardev(name, path, server, null, wait);
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
        if (peer == null) {
          peer = server.accept();
          ready.complete(null);
        }
        SocketChannel current = peer;
        carry(Channels.newInputStream(current), port);
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

  private void carry(InputStream input, Uart16550 port) throws InterruptedException {
    try {
      new InputPump(input, null, port).run();
    } catch (IOException e) {
      LOG.debug("{}: the peer has gone: {}", name, e.getMessage());
    }
  }

  @Override
  public void close() {
    sink.close();
    closed = true;
    try {
      SocketChannel current = peer;
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
      SocketChannel current = peer;
      if (current == null) {
        return;
      }
      ByteBuffer rest = ByteBuffer.wrap(bytes, offset, length);
      try {
        while (rest.hasRemaining()) {
          current.write(rest);
        }
      } catch (IOException e) {
        LOG.debug("{}: {} bytes went to nobody: {}", name, rest.remaining(), e.getMessage());
      }
    }
  }
}

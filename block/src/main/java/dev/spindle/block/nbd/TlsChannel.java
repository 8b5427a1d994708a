// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;

/** A negotiation that goes on by TLS. */
public final class TlsChannel implements HandshakeChannel {
  private final PlainChannel channel;
  private final TlsBuffers buffers;

  private TlsChannel(PlainChannel channel, TlsBuffers buffers) {
    this.channel = channel;
    this.buffers = buffers;
  }

  /**
   * Does the TLS handshake, as the server or the client that the engine is. Straight-line code.
   *
   * @throws IOException if the two ends cannot agree, or what arrives is not TLS
   */
  public static TlsChannel begin(PlainChannel channel, SSLEngine engine) throws IOException {
    TlsChannel tls = new TlsChannel(channel, new TlsBuffers(engine));
    try {
      engine.beginHandshake();
      tls.shakeHands(engine);
    } catch (IOException e) {
      tls.sendAlert();
      throw e;
    }
    return tls;
  }

  private void shakeHands(SSLEngine engine) throws IOException {
    while (true) {
      switch (engine.getHandshakeStatus()) {
        case NEED_TASK -> runTasks(engine);
        case NEED_WRAP -> {
          buffers.clearEncrypted();
          buffers.encryptNothing();
          flush();
        }
        case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> readMore();
        case FINISHED, NOT_HANDSHAKING -> {
          return;
        }
      }
    }
  }

  /** Elsewhere: they take milliseconds of arithmetic, and others share this thread. */
  private static void runTasks(SSLEngine engine) {
    for (Runnable task = engine.getDelegatedTask();
        task != null;
        task = engine.getDelegatedTask()) {
      CompletableFuture.runAsync(task).join();
    }
  }

  /** Has the client know why, if it still listens. */
  private void sendAlert() {
    try {
      buffers.clearEncrypted();
      buffers.encryptNothing();
      flush();
    } catch (IOException e) {
      // The reason for the end is the one before.
      return;
    }
  }

  /** Decrypts a record, after receiving what of it is missing. */
  private void readMore() throws IOException {
    while (!buffers.decrypt()) {
      if (buffers.isClosed()) {
        throw new EOFException("the connection ended");
      }
      int at = buffers.receiveAt();
      ByteBuffer room = buffers.receivedMemory.asByteBuffer();
      buffers.wereReceived(channel.readSome(room.position(at).limit(at + buffers.receiveRoom())));
      if (buffers.engine.getHandshakeStatus() == HandshakeStatus.NEED_TASK) {
        return;
      }
    }
  }

  private void flush() throws IOException {
    byte[] bytes = new byte[buffers.encryptedBytes()];
    MemorySegment.copy(buffers.encryptedMemory, ValueLayout.JAVA_BYTE, 0, bytes, 0, bytes.length);
    channel.write(bytes);
  }

  @Override
  public byte[] read(int length) throws IOException {
    byte[] bytes = new byte[length];
    int done = 0;
    while (done < length) {
      int part = Math.min(length - done, buffers.plain().remaining());
      buffers.plain().get(bytes, done, part);
      done += part;
      if (done < length) {
        readMore();
        runTasks(buffers.engine);
      }
    }
    return bytes;
  }

  @Override
  public void write(byte[] bytes) throws IOException {
    ByteBuffer source = ByteBuffer.wrap(bytes);
    while (source.hasRemaining()) {
      buffers.clearEncrypted();
      buffers.encrypt(source);
      try {
        flush();
      } catch (EOFException e) {
        hearWhy();
        throw e;
      }
    }
  }

  /** Who ends a connection may have said why before, in an alert that has not been read yet. */
  private void hearWhy() throws SSLException {
    try {
      while (true) {
        readMore();
      }
    } catch (SSLException e) {
      throw e;
    } catch (IOException e) {
      // Nothing was said.
      return;
    }
  }

  @Override
  public NbdStream toStream() {
    return new TlsStream(channel.toStream(), buffers);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;

/** A channel's bytes by TLS, with the JDK's engine and nothing of ours. */
final class TlsBytes implements ByteChannel {
  private final ByteChannel below;
  private final SSLEngine engine;
  private final ByteBuffer received;
  private final ByteBuffer plain;
  private final ByteBuffer encrypted;

  /** Shakes hands. */
  TlsBytes(ByteChannel below, SSLEngine engine) throws IOException {
    this.below = below;
    this.engine = engine;
    int packet = engine.getSession().getPacketBufferSize();
    this.received = ByteBuffer.allocate(packet).limit(0);
    this.plain = ByteBuffer.allocate(2 * packet).limit(0);
    this.encrypted = ByteBuffer.allocate(2 * packet);
    engine.beginHandshake();
    while (engine.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING) {
      if (engine.getHandshakeStatus() == HandshakeStatus.NEED_UNWRAP) {
        decrypt();
      } else {
        speak();
      }
    }
  }

  /** Says what the engine itself has to say, if anything. */
  private void speak() throws IOException {
    for (Runnable task = engine.getDelegatedTask();
        task != null;
        task = engine.getDelegatedTask()) {
      task.run();
    }
    if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
      encrypt(ByteBuffer.allocate(0));
    }
  }

  private void encrypt(ByteBuffer source) throws IOException {
    encrypted.clear();
    engine.wrap(source, encrypted);
    encrypted.flip();
    while (encrypted.hasRemaining()) {
      below.write(encrypted);
    }
  }

  private void decrypt() throws IOException {
    plain.compact();
    SSLEngineResult result = engine.unwrap(received, plain);
    plain.flip();
    if (result.getStatus() == SSLEngineResult.Status.BUFFER_UNDERFLOW) {
      received.compact();
      int count = below.read(received);
      received.flip();
      if (count < 0) {
        throw new EOFException();
      }
    }
    speak();
  }

  /** New keys for what is sent from now on; the other end is asked for new ones as well. */
  void renewKeys() throws IOException {
    engine.beginHandshake();
    speak();
  }

  @Override
  public int read(ByteBuffer target) throws IOException {
    while (!plain.hasRemaining()) {
      decrypt();
    }
    int count = Math.min(target.remaining(), plain.remaining());
    target.put(plain.slice().limit(count));
    plain.position(plain.position() + count);
    return count;
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    int count = source.remaining();
    while (source.hasRemaining()) {
      encrypt(source);
    }
    return count;
  }

  @Override
  public boolean isOpen() {
    return below.isOpen();
  }

  @Override
  public void close() throws IOException {
    below.close();
  }
}

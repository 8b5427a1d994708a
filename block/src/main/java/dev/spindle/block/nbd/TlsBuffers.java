// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLException;

/**
 * One connection's TLS: what has been received and not yet been decrypted, what has been decrypted
 * and not yet been taken, and what has been encrypted and not yet been sent. Moves no bytes itself.
 * For one thread at a time.
 */
final class TlsBuffers {
  /** Records that are put together for one send. */
  private static final int RECORDS = 8;

  /** The most plaintext in a record. */
  static final int RECORD_BYTES = 16 << 10;

  private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

  final SSLEngine engine;

  /** Native; between reading: empty from position to limit there is what was received. */
  final MemorySegment receivedMemory;

  private final ByteBuffer received;

  /** What was decrypted and not taken, from position to limit. */
  private final ByteBuffer plain;

  /** Native; what was encrypted, from its start on. */
  final MemorySegment encryptedMemory;

  private final ByteBuffer encrypted;
  private boolean closed;

  TlsBuffers(SSLEngine engine) {
    this.engine = engine;
    int packet = engine.getSession().getPacketBufferSize();
    this.receivedMemory = Arena.ofAuto().allocate(2L * packet);
    this.received = receivedMemory.asByteBuffer().limit(0);
    this.plain = ByteBuffer.allocate(2 * engine.getSession().getApplicationBufferSize()).limit(0);
    this.encryptedMemory = Arena.ofAuto().allocate((long) RECORDS * packet);
    this.encrypted = encryptedMemory.asByteBuffer();
  }

  /** Where in {@link #receivedMemory} the next bytes go; there is room for some. */
  int receiveAt() {
    received.compact().flip();
    return received.limit();
  }

  /** Room for bytes that are received. */
  int receiveRoom() {
    return received.capacity() - received.limit();
  }

  /** So many bytes were received. */
  void wereReceived(int bytes) {
    received.limit(received.limit() + bytes);
  }

  /** Decrypted bytes that nobody has taken. */
  ByteBuffer plain() {
    return plain;
  }

  /** Whether the other end has said that nothing more comes. */
  boolean isClosed() {
    return closed;
  }

  /**
   * Decrypts one record, if a whole one is there and room for it.
   *
   * @return false if nothing could be done
   */
  boolean decrypt() throws SSLException {
    plain.compact();
    try {
      SSLEngineResult result = engine.unwrap(received, plain);
      closed |= result.getStatus() == SSLEngineResult.Status.CLOSED;
      return result.bytesConsumed() > 0;
    } finally {
      plain.flip();
    }
  }

  /** Forgets what was encrypted before. */
  void clearEncrypted() {
    encrypted.clear();
  }

  /** Encrypted bytes there are. */
  int encryptedBytes() {
    return encrypted.position();
  }

  /** Whether another record has room. */
  boolean hasRoomToEncrypt() {
    return encrypted.remaining() >= engine.getSession().getPacketBufferSize();
  }

  /**
   * Encrypts one record.
   *
   * @return how many bytes of the source are in it
   */
  int encrypt(ByteBuffer source) throws SSLException {
    SSLEngineResult result = engine.wrap(source, encrypted);
    if (result.getStatus() == SSLEngineResult.Status.CLOSED) {
      throw new SSLException("TLS has been closed");
    }
    return result.bytesConsumed();
  }

  /** Encrypts what the engine itself has to say. */
  void encryptNothing() throws SSLException {
    engine.wrap(NOTHING, encrypted);
  }
}

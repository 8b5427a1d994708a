// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** A connection whose other end says what an array says, and hears all. */
public final class FuzzChannel implements HandshakeChannel {
  private final byte[] bytes;
  private final int start;
  private int at;
  private boolean ended;
  private final ByteArrayOutputStream written = new ByteArrayOutputStream();

  /** The most bytes that have been asked for in one go. */
  public int mostAtOnce;

  /** Makes one that says what the array holds from a place on. */
  public FuzzChannel(byte[] bytes, int start) {
    this.bytes = bytes;
    this.start = start;
    this.at = start;
  }

  @Override
  public byte[] read(int length) throws EOFException {
    if (length < 0) {
      throw new IllegalArgumentException(length + " bytes");
    }
    mostAtOnce = Math.max(mostAtOnce, length);
    if (length > bytes.length - at) {
      at = bytes.length;
      ended = true;
      throw new EOFException();
    }
    at += length;
    return Arrays.copyOfRange(bytes, at - length, at);
  }

  @Override
  public void write(byte[] more) {
    written.writeBytes(more);
  }

  @Override
  public NbdStream toStream() {
    throw new UnsupportedOperationException();
  }

  /** Whether more has been asked for than there was. */
  public boolean isAtEnd() {
    return ended;
  }

  /** All that has been read. */
  public ByteBuffer read() {
    return ByteBuffer.wrap(bytes, start, at - start).slice();
  }

  /** All that has been written. */
  public ByteBuffer written() {
    return ByteBuffer.wrap(written.toByteArray());
  }
}

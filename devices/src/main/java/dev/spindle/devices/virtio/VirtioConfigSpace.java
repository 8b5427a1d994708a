// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/**
 * The device-specific configuration space (virtio 1.3, section 2.5): what the driver reads, kept in
 * step with the generation number by which it notices that a value has changed between two reads.
 *
 * <p>Any thread.
 */
public final class VirtioConfigSpace {
  private final ByteBuffer bytes;
  private int generation;

  /** Makes a zeroed space of {@code size} bytes, 0 to 4096. */
  public VirtioConfigSpace(int size) {
    if (size < 0 || size > 4096) {
      throw new IllegalArgumentException("configuration space of " + size + " bytes");
    }
    bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Bytes. */
  public int size() {
    return bytes.capacity();
  }

  /** The number that every {@link #update} changes, 0..255. */
  public synchronized int generation() {
    return generation;
  }

  /**
   * Changes the contents, in one step as far as readers are concerned.
   *
   * @param change writes fields into the little-endian buffer it is given
   */
  public synchronized void update(Consumer<ByteBuffer> change) {
    change.accept(bytes);
    bytes.clear();
    generation = (generation + 1) & 0xff;
  }

  /**
   * Reads as the driver does.
   *
   * @param size 1, 2, 4 or 8
   * @return the value, zero-extended; bytes beyond the end read as 0
   */
  public synchronized long read(long offset, int size) {
    long value = 0;
    for (int i = 0; i < size; i++) {
      long place = offset + i;
      if (place >= 0 && place < bytes.capacity()) {
        value |= Byte.toUnsignedLong(bytes.get((int) place)) << (8 * i);
      }
    }
    return value;
  }
}

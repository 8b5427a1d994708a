// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.serial;

/** A queue of bytes with a fixed capacity. Not thread-safe. */
final class ByteRing {
  private final byte[] bytes;
  private int head;
  private int size;

  ByteRing(int capacity) {
    bytes = new byte[capacity];
  }

  int size() {
    return size;
  }

  int room() {
    return bytes.length - size;
  }

  boolean isEmpty() {
    return size == 0;
  }

  /** Appends a byte; there must be room. */
  void put(byte value) {
    int tail = head + size;
    bytes[tail < bytes.length ? tail : tail - bytes.length] = value;
    size++;
  }

  /** The first byte; there must be one. */
  byte peek() {
    return bytes[head];
  }

  /** Takes the first byte; there must be one. */
  byte take() {
    byte value = bytes[head];
    head = head + 1 < bytes.length ? head + 1 : 0;
    size--;
    return value;
  }

  /** Takes everything there is into {@code target}, as long as the capacity; returns how much. */
  int takeAll(byte[] target) {
    int taken = size;
    int first = Math.min(taken, bytes.length - head);
    System.arraycopy(bytes, head, target, 0, first);
    System.arraycopy(bytes, 0, target, first, taken - first);
    clear();
    return taken;
  }

  void clear() {
    head = 0;
    size = 0;
  }
}

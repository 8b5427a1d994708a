// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** A file in memory. One thread at a time. */
class MemoryStorage implements Storage {
  private static final int MOST = 256 << 20;

  private final BounceBuffers buffers = new BounceBuffers();
  private byte[] bytes;
  private int length;

  MemoryStorage(byte[] contents) {
    this.bytes = contents.clone();
    this.length = contents.length;
  }

  static MemoryStorage of(Path file) throws IOException {
    return new MemoryStorage(Files.readAllBytes(file));
  }

  byte[] contents() {
    return Arrays.copyOf(bytes, length);
  }

  void save(Path file) throws IOException {
    Files.write(file, contents());
  }

  @Override
  public BounceBuffers buffers() {
    return buffers;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void resize(long newLength) throws Qcow2Exception {
    if (newLength < length) {
      Arrays.fill(bytes, (int) newLength, length, (byte) 0);
    }
    grow(newLength);
    length = (int) newLength;
  }

  private void grow(long end) throws Qcow2Exception {
    if (end < 0 || end > MOST) {
      throw new Qcow2Exception(Errno.ENOSPC, "the file would be too long");
    }
    if (end > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.toIntExact(Math.max(end, 3L * bytes.length / 2)));
    }
    length = Math.max(length, (int) end);
  }

  private int inside(long offset, long count) {
    return (int) Math.clamp(length - offset, 0, count);
  }

  @Override
  public void read(long offset, IoVector data, long position, long count) throws Qcow2Exception {
    int inside = inside(offset, count);
    data.copyFrom(position, MemorySegment.ofArray(bytes), inside == 0 ? 0 : offset, inside);
    data.fill(position + inside, count - inside, (byte) 0);
  }

  @Override
  public void read(long offset, MemorySegment target) throws Qcow2Exception {
    int inside = inside(offset, target.byteSize());
    target.fill((byte) 0);
    MemorySegment.copy(MemorySegment.ofArray(bytes), inside == 0 ? 0 : offset, target, 0, inside);
  }

  @Override
  public void write(long offset, MemorySegment source) throws Qcow2Exception {
    put(offset, source.toArray(ValueLayout.JAVA_BYTE));
  }

  @Override
  public void write(
      long offset, MemorySegment head, IoVector data, long position, long count, MemorySegment tail)
      throws Qcow2Exception {
    byte[] all = new byte[Math.toIntExact(head.byteSize() + count + tail.byteSize())];
    MemorySegment joined = MemorySegment.ofArray(all);
    joined.copyFrom(head);
    data.copyTo(position, joined, head.byteSize(), count);
    joined.asSlice(head.byteSize() + count).copyFrom(tail);
    put(offset, all);
  }

  /** Everything that changes contents comes here. */
  void put(long offset, byte[] source) throws Qcow2Exception {
    grow(offset + source.length);
    System.arraycopy(source, 0, bytes, (int) offset, source.length);
  }

  @Override
  public void zero(long offset, long count, boolean mayUnmap) throws Qcow2Exception {
    put(offset, new byte[(int) count]);
  }

  @Override
  public void discard(long offset, long count) throws Qcow2Exception {
    put(offset, new byte[inside(offset, count)]);
  }

  @Override
  public void flush() throws Qcow2Exception {}
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CStruct;
import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * A scatter/gather list: the native {@code struct iovec} array that one read or write request
 * points at, built only from ranges of memory segments, each checked against its segment's bounds.
 *
 * <p>Made once and reused: {@link #clear} and {@link #add} allocate nothing. Positions in the
 * methods below count bytes from the start of the list, across its ranges. For one thread at a
 * time; while a request that uses it is in flight, nobody changes it.
 */
public final class IoVector {
  /** The most ranges that the kernel takes in one call (IOV_MAX). */
  public static final int MAX_CAPACITY = 1024;

  @CStruct(value = "struct iovec", headers = "sys/uio.h")
  static final class Layout {
    static final int SIZE = 16;
    static final int IOV_BASE = 0;
    static final int IOV_LEN = 8;
  }

  private static final long PROCESS = ProcessHandle.current().pid();

  private final MemorySegment array;
  private final MemorySegment readOnlyArray;
  private final MemorySegment[] bases;
  private final long[] offsets;
  private final long[] lengths;
  private int count;
  private long totalBytes;

  /**
   * Makes an empty list in memory that lives as long as the list is reachable.
   *
   * @param capacity ranges, from 1 to {@link #MAX_CAPACITY}
   */
  public IoVector(int capacity) {
    this(capacity, Arena.ofAuto());
  }

  /**
   * Makes an empty list in an arena's memory.
   *
   * @param capacity ranges, from 1 to {@link #MAX_CAPACITY}
   */
  public IoVector(int capacity, Arena arena) {
    if (capacity < 1 || capacity > MAX_CAPACITY) {
      throw new IllegalArgumentException("impossible capacity: " + capacity);
    }
    array = arena.allocate((long) capacity * Layout.SIZE, 8);
    readOnlyArray = array.asReadOnly();
    bases = new MemorySegment[capacity];
    offsets = new long[capacity];
    lengths = new long[capacity];
  }

  /**
   * Appends a range.
   *
   * @param base native memory
   * @param offset of the range in the segment, bytes
   * @param length bytes; a range of length 0 is left out
   * @throws IndexOutOfBoundsException if the range is not wholly inside the segment
   * @throws IllegalStateException if the list is full
   */
  public void add(MemorySegment base, long offset, long length) {
    Objects.checkFromIndexSize(offset, length, base.byteSize());
    if (length == 0) {
      return;
    }
    if (!base.isNative()) {
      throw new IllegalArgumentException("the kernel cannot reach a heap segment");
    }
    int index = count;
    if (index == bases.length) {
      throw new IllegalStateException("more than " + index + " ranges");
    }
    bases[index] = base;
    offsets[index] = offset;
    lengths[index] = length;
    writeEntry(index);
    totalBytes += length;
    count = index + 1;
  }

  /**
   * Appends the part of another list that starts at a position.
   *
   * @param length bytes; the part must lie within the other list
   */
  public void addAll(IoVector other, long position, long length) {
    Objects.checkFromIndexSize(position, length, other.totalBytes);
    long skip = position;
    long left = length;
    for (int i = 0; left > 0; i++) {
      long size = other.lengths[i];
      if (skip >= size) {
        skip -= size;
        continue;
      }
      long taken = Math.min(size - skip, left);
      add(other.bases[i], other.offsets[i] + skip, taken);
      left -= taken;
      skip = 0;
    }
  }

  /** Empties the list. */
  public void clear() {
    for (int i = 0; i < count; i++) {
      bases[i] = null;
    }
    count = 0;
    totalBytes = 0;
  }

  /**
   * Drops bytes from the front, after a short transfer for example.
   *
   * @param bytes from 0 to {@link #totalBytes}
   */
  public void advance(long bytes) {
    checkBytes(bytes);
    int gone = 0;
    long left = bytes;
    while (left > 0 && lengths[gone] <= left) {
      left -= lengths[gone];
      gone++;
    }
    int kept = count - gone;
    if (gone > 0) {
      System.arraycopy(bases, gone, bases, 0, kept);
      System.arraycopy(offsets, gone, offsets, 0, kept);
      System.arraycopy(lengths, gone, lengths, 0, kept);
      for (int i = kept; i < count; i++) {
        bases[i] = null;
      }
      count = kept;
    }
    if (left > 0) {
      offsets[0] += left;
      lengths[0] -= left;
    }
    for (int i = 0; i < kept; i++) {
      writeEntry(i);
    }
    totalBytes -= bytes;
  }

  /**
   * Drops bytes from the end, so that this many remain.
   *
   * @param bytes from 0 to {@link #totalBytes}
   */
  public void truncate(long bytes) {
    checkBytes(bytes);
    long excess = totalBytes - bytes;
    while (excess > 0) {
      int last = count - 1;
      if (lengths[last] <= excess) {
        excess -= lengths[last];
        bases[last] = null;
        count = last;
      } else {
        lengths[last] -= excess;
        writeEntry(last);
        excess = 0;
      }
    }
    totalBytes = bytes;
  }

  private void checkBytes(long bytes) {
    if (bytes < 0 || bytes > totalBytes) {
      throw new IndexOutOfBoundsException(bytes + " of " + totalBytes + " bytes");
    }
  }

  private void writeEntry(int index) {
    long entry = (long) index * Layout.SIZE;
    array.set(
        ValueLayout.JAVA_LONG, entry + Layout.IOV_BASE, bases[index].address() + offsets[index]);
    array.set(ValueLayout.JAVA_LONG, entry + Layout.IOV_LEN, lengths[index]);
  }

  /**
   * Whether every range starts at an address and has a length with none of the mask's bits set.
   *
   * @param addressMask a power of two less one
   * @param lengthMask a power of two less one
   */
  public boolean isAligned(long addressMask, long lengthMask) {
    long addressBits = 0;
    long lengthBits = 0;
    for (int i = 0; i < count; i++) {
      addressBits |= bases[i].address() + offsets[i];
      lengthBits |= lengths[i];
    }
    return (addressBits & addressMask) == 0 && (lengthBits & lengthMask) == 0;
  }

  /** The ranges in the list. */
  public int count() {
    return count;
  }

  /** The ranges that fit. */
  public int capacity() {
    return bases.length;
  }

  /** The bytes of all ranges together. */
  public long totalBytes() {
    return totalBytes;
  }

  /** The native array, read-only; its first {@link #count} entries of 16 bytes are the list. */
  public MemorySegment array() {
    return readOnlyArray;
  }

  /** The segment that a range lies in, as it was given to {@link #add}. */
  public MemorySegment base(int index) {
    return bases[Objects.checkIndex(index, count)];
  }

  /** Where a range starts in its {@link #base}, bytes. */
  public long offset(int index) {
    return offsets[Objects.checkIndex(index, count)];
  }

  /** A range's bytes. */
  public long length(int index) {
    return lengths[Objects.checkIndex(index, count)];
  }

  /**
   * Where a range lies in some memory.
   *
   * @param memory native
   * @return the offset, bytes, or -1 unless all of the range is part of it
   */
  public long offsetIn(int index, MemorySegment memory) {
    long at = base(index).address() + offsets[index] - memory.address();
    return at >= 0 && lengths[index] <= memory.byteSize() - at ? at : -1;
  }

  /** A range as a segment of its own. Allocates. */
  public MemorySegment segment(int index) {
    return base(index).asSlice(offsets[index], lengths[index]);
  }

  /**
   * Copies all of the list into some memory, by a system call: where memory in the list is gone,
   * which an access of ours might not survive, that only fails. Allocates nothing.
   *
   * @param target native, as long as the list at least
   * @return whether all of it was there
   */
  public boolean gatherInto(MemorySegment target) {
    return transfer(SyscallNumber.PROCESS_VM_READV, target);
  }

  /** Copies into all of the list; as {@link #gatherInto}. */
  public boolean scatterFrom(MemorySegment source) {
    return transfer(SyscallNumber.PROCESS_VM_WRITEV, source);
  }

  private boolean transfer(int call, MemorySegment other) {
    Fd.requireNative(other);
    Objects.checkFromIndexSize(0, totalBytes, other.byteSize());
    CallState state = CallState.current();
    MemorySegment whole = state.scratch();
    whole.set(ValueLayout.JAVA_LONG, Layout.IOV_BASE, other.address());
    whole.set(ValueLayout.JAVA_LONG, Layout.IOV_LEN, totalBytes);
    try {
      return Syscall.invoke(state, call, PROCESS, whole.address(), 1, array.address(), count, 0)
          == totalBytes;
    } finally {
      Reference.reachabilityFence(this);
      Reference.reachabilityFence(other);
    }
  }

  /** Copies bytes out of the list, from a position on. */
  public void copyTo(long position, MemorySegment target, long targetOffset, long length) {
    Objects.checkFromIndexSize(position, length, totalBytes);
    Objects.checkFromIndexSize(targetOffset, length, target.byteSize());
    long skip = position;
    long done = 0;
    for (int i = 0; done < length; i++) {
      if (skip >= lengths[i]) {
        skip -= lengths[i];
        continue;
      }
      long part = Math.min(lengths[i] - skip, length - done);
      MemorySegment.copy(bases[i], offsets[i] + skip, target, targetOffset + done, part);
      done += part;
      skip = 0;
    }
  }

  /** Copies bytes into the list, from a position on. */
  public void copyFrom(long position, MemorySegment source, long sourceOffset, long length) {
    Objects.checkFromIndexSize(position, length, totalBytes);
    Objects.checkFromIndexSize(sourceOffset, length, source.byteSize());
    long skip = position;
    long done = 0;
    for (int i = 0; done < length; i++) {
      if (skip >= lengths[i]) {
        skip -= lengths[i];
        continue;
      }
      long part = Math.min(lengths[i] - skip, length - done);
      MemorySegment.copy(source, sourceOffset + done, bases[i], offsets[i] + skip, part);
      done += part;
      skip = 0;
    }
  }

  /** Sets bytes of the list, from a position on, to one value. */
  public void fill(long position, long length, byte value) {
    Objects.checkFromIndexSize(position, length, totalBytes);
    long skip = position;
    long done = 0;
    for (int i = 0; done < length; i++) {
      if (skip >= lengths[i]) {
        skip -= lengths[i];
        continue;
      }
      long part = Math.min(lengths[i] - skip, length - done);
      bases[i].asSlice(offsets[i] + skip, part).fill(value);
      done += part;
      skip = 0;
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import static org.junit.jupiter.api.Assertions.fail;

import dev.spindle.devices.memory.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A guest's memory, small enough to be looked at whole after each step: two regions, and between
 * them in the segment what is no memory of the guest's. Who writes where he may not is caught.
 */
final class FuzzMemory implements DeviceMemory {
  /** Of each region. */
  static final int REGION_BYTES = 4096;

  /** Where the second region is; the first is at 0. */
  static final long HIGH = 1L << 32;

  private static final int HIGH_OFFSET = 2 * REGION_BYTES;
  private static final byte NO_MEMORY = 0x6e;

  private final MemorySegment segment = Arena.global().allocate(3 * REGION_BYTES, 4096);
  private final MemorySegment before = MemorySegment.ofArray(new byte[3 * REGION_BYTES]);
  private final byte[] mayChange = new byte[3 * REGION_BYTES];
  private boolean anyMayChange;
  private int lookups;

  /** Begins anew; what the bytes do not say is zero. */
  void fill(byte[] bytes, int from) {
    segment.fill((byte) 0);
    segment.asSlice(REGION_BYTES, REGION_BYTES).fill(NO_MEMORY);
    int low = Math.min(bytes.length - from, REGION_BYTES);
    MemorySegment.copy(bytes, from, segment, ValueLayout.JAVA_BYTE, 0, low);
    int high = Math.min(bytes.length - from - low, REGION_BYTES);
    MemorySegment.copy(bytes, from + low, segment, ValueLayout.JAVA_BYTE, HIGH_OFFSET, high);
    seen();
  }

  /** The driver writes a byte, at any time. */
  void scribble(int at, int value) {
    segment.set(ValueLayout.JAVA_BYTE, at % REGION_BYTES, (byte) value);
    before.set(ValueLayout.JAVA_BYTE, at % REGION_BYTES, (byte) value);
  }

  @Override
  public MemorySegment segment() {
    return segment;
  }

  @Override
  public long offsetOf(long address, long length) {
    lookups++;
    if (length >= 0 && length <= REGION_BYTES) {
      if (address >= 0 && address <= REGION_BYTES - length) {
        return address;
      }
      if (address >= HIGH && address - HIGH <= REGION_BYTES - length) {
        return HIGH_OFFSET + (address - HIGH);
      }
    }
    return -1;
  }

  /** How often something has been looked up since the last call. */
  int lookups() {
    int count = lookups;
    lookups = 0;
    return count;
  }

  /** Whether a range of the segment is the guest's, and in one piece. */
  static boolean isInOnePiece(long offset, long length) {
    boolean low = offset >= 0 && length > 0 && length <= REGION_BYTES - offset;
    boolean high = offset >= HIGH_OFFSET && length > 0 && length <= 3 * REGION_BYTES - offset;
    return low || high;
  }

  /** Lets a range of the segment be written before the next {@link #check}. */
  void allow(long offset, long length) {
    Arrays.fill(mayChange, (int) offset, (int) (offset + length), (byte) 1);
    anyMayChange = true;
  }

  /** Nothing has been written but what may be. */
  void check(String who) {
    long at = segment.mismatch(before);
    while (at >= 0) {
      if (mayChange[(int) at] == 0) {
        fail(who + " has written at offset " + at);
      }
      before.set(ValueLayout.JAVA_BYTE, at, segment.get(ValueLayout.JAVA_BYTE, at));
      at = segment.mismatch(before);
    }
  }

  /** From now on nothing may be written. */
  void forbid() {
    if (anyMayChange) {
      Arrays.fill(mayChange, (byte) 0);
      anyMayChange = false;
    }
  }

  private void seen() {
    MemorySegment.copy(segment, 0, before, 0, segment.byteSize());
    forbid();
  }
}

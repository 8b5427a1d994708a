// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.spindle.linux.Fd;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import dev.spindle.linux.uring.UringAbi.RsrcRegister;
import dev.spindle.linux.uring.UringAbi.RsrcUpdate2;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/**
 * One of a ring's two tables of registered resources, files or buffers: sparse, its slots filled
 * and emptied one by one ({@code io_uring_register(2)}). The table itself is made when the first
 * slot is filled, for which Linux 5.19 is needed. Owner thread only.
 */
final class ResourceTable {
  /** What a table holds. */
  enum Kind {
    /** Each slot's value is a descriptor, an {@code int}; -1 is none. */
    FILES(UringConstants.REGISTER_FILES2, UringConstants.REGISTER_FILES_UPDATE2),
    /** Each slot's value is a {@code struct iovec}; an address of 0 is none. */
    BUFFERS(UringConstants.REGISTER_BUFFERS2, UringConstants.REGISTER_BUFFERS_UPDATE);

    private final int register;
    private final int update;

    Kind(int register, int update) {
      this.register = register;
      this.update = update;
    }
  }

  private final Fd ring;
  private final Kind kind;
  private final int slots;
  private final BitSet used;
  private boolean asked;
  private int answer;

  ResourceTable(Fd ring, Kind kind, int slots) {
    this.ring = ring;
    this.kind = kind;
    this.slots = slots;
    this.used = new BitSet(slots);
  }

  /** Returns the first of {@code count} free slots in a row, or -1 if there are none. */
  int findFree(long count) {
    int first = used.nextClearBit(0);
    while (first + count <= slots) {
      int next = used.nextSetBit(first);
      if (next < 0 || next - first >= count) {
        return first;
      }
      first = used.nextClearBit(next);
    }
    return -1;
  }

  /**
   * Fills a free slot.
   *
   * @return 0, or a negated errno; the slot is still free then
   */
  int fill(int slot, MemorySegment value) {
    if (!asked) {
      asked = true;
      answer = make();
    }
    int result = answer < 0 ? answer : update(slot, value);
    if (result >= 0) {
      used.set(slot);
    }
    return Math.min(result, 0);
  }

  /** Empties a slot; operations in flight on what was there still complete. */
  void empty(int slot, MemorySegment none) {
    // A slot that will not be emptied is not used again.
    if (update(slot, none) >= 0) {
      used.clear(slot);
    }
  }

  private int make() {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment register = scratch.allocate(RsrcRegister.SIZE, 8);
      register.set(JAVA_INT, RsrcRegister.NR, slots);
      register.set(JAVA_INT, RsrcRegister.FLAGS, UringConstants.RSRC_REGISTER_SPARSE);
      return call(kind.register, register);
    }
  }

  private int update(int slot, MemorySegment value) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment update = scratch.allocate(RsrcUpdate2.SIZE, 8);
      update.set(JAVA_INT, RsrcUpdate2.OFFSET, slot);
      update.set(JAVA_LONG, RsrcUpdate2.DATA, value.address());
      update.set(JAVA_INT, RsrcUpdate2.NR, 1);
      return call(kind.update, update);
    }
  }

  private int call(int opcode, MemorySegment argument) {
    return (int)
        Syscall.invoke(
            SyscallNumber.IO_URING_REGISTER,
            ring.number(),
            opcode,
            argument.address(),
            argument.byteSize());
  }
}

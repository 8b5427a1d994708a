// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.kvm.VcpuLayouts.Segment;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A segment register with its hidden part ({@code struct kvm_segment}; Intel SDM volume 3, 3.4.5).
 *
 * @param base linear address
 * @param limit the last offset, in bytes whatever the granularity
 * @param selector its visible part
 * @param type 4 bits
 * @param present whether it may be used
 * @param privilege DPL, 0 to 3
 * @param big D/B: 32-bit default operands
 * @param codeOrData S: not a system segment
 * @param longMode L: 64-bit code
 * @param granular G: the descriptor's limit counts pages
 * @param available AVL, software's own
 * @param unusable loaded with a null selector
 */
public record SegmentDescriptor(
    long base,
    int limit,
    int selector,
    int type,
    boolean present,
    int privilege,
    boolean big,
    boolean codeOrData,
    boolean longMode,
    boolean granular,
    boolean available,
    boolean unusable) {
  private static final int CODE = 11;
  private static final int DATA = 3;
  private static final int BUSY_TSS = 11;

  /** Flat 64-bit code, privilege 0. */
  public static SegmentDescriptor code64(int selector) {
    return new SegmentDescriptor(
        0, -1, selector, CODE, true, 0, false, true, true, true, false, false);
  }

  /** Flat 32-bit code, privilege 0. */
  public static SegmentDescriptor code32(int selector) {
    return new SegmentDescriptor(
        0, -1, selector, CODE, true, 0, true, true, false, true, false, false);
  }

  /** Flat data, privilege 0. */
  public static SegmentDescriptor data(int selector) {
    return new SegmentDescriptor(
        0, -1, selector, DATA, true, 0, true, true, false, true, false, false);
  }

  /** A task-state segment, as TR must hold one. */
  public static SegmentDescriptor taskState(int selector, long base, int limit) {
    return new SegmentDescriptor(
        base, limit, selector, BUSY_TSS, true, 0, false, false, false, false, false, false);
  }

  /** The same register at another place, as real mode sets it: base is the selector times 16. */
  public SegmentDescriptor withRealModeSelector(int newSelector) {
    return new SegmentDescriptor(
        (long) newSelector << 4,
        limit,
        newSelector,
        type,
        present,
        privilege,
        big,
        codeOrData,
        longMode,
        granular,
        available,
        unusable);
  }

  static SegmentDescriptor read(MemorySegment memory, long at) {
    return new SegmentDescriptor(
        memory.get(ValueLayout.JAVA_LONG, at + Segment.BASE),
        memory.get(ValueLayout.JAVA_INT, at + Segment.LIMIT),
        Short.toUnsignedInt(memory.get(ValueLayout.JAVA_SHORT, at + Segment.SELECTOR)),
        memory.get(ValueLayout.JAVA_BYTE, at + Segment.TYPE),
        flag(memory, at + Segment.PRESENT),
        memory.get(ValueLayout.JAVA_BYTE, at + Segment.DPL),
        flag(memory, at + Segment.DB),
        flag(memory, at + Segment.S),
        flag(memory, at + Segment.L),
        flag(memory, at + Segment.G),
        flag(memory, at + Segment.AVL),
        flag(memory, at + Segment.UNUSABLE));
  }

  private static boolean flag(MemorySegment memory, long at) {
    return memory.get(ValueLayout.JAVA_BYTE, at) != 0;
  }

  void write(MemorySegment memory, long at) {
    memory.set(ValueLayout.JAVA_LONG, at + Segment.BASE, base);
    memory.set(ValueLayout.JAVA_INT, at + Segment.LIMIT, limit);
    memory.set(ValueLayout.JAVA_SHORT, at + Segment.SELECTOR, (short) selector);
    memory.set(ValueLayout.JAVA_BYTE, at + Segment.TYPE, (byte) type);
    setFlag(memory, at + Segment.PRESENT, present);
    memory.set(ValueLayout.JAVA_BYTE, at + Segment.DPL, (byte) privilege);
    setFlag(memory, at + Segment.DB, big);
    setFlag(memory, at + Segment.S, codeOrData);
    setFlag(memory, at + Segment.L, longMode);
    setFlag(memory, at + Segment.G, granular);
    setFlag(memory, at + Segment.AVL, available);
    setFlag(memory, at + Segment.UNUSABLE, unusable);
  }

  private static void setFlag(MemorySegment memory, long at, boolean value) {
    memory.set(ValueLayout.JAVA_BYTE, at, (byte) (value ? 1 : 0));
  }
}

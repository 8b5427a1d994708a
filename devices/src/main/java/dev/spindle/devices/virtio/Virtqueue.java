// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.devices.memory.DeviceMemory;
import java.lang.foreign.MemorySegment;

/**
 * The device's side of a virtqueue (virtio 1.3, sections 2.6 to 2.8): takes buffers the driver has
 * made available, and gives them back used.
 *
 * <p>A queue belongs to one thread at a time. It may be handed to another one by anything that
 * orders memory (a task queued on the other thread). Nothing here allocates, locks or waits, except
 * to report a fault.
 *
 * <p>Everything read from the rings is the guest's word and is checked. On the first thing that is
 * wrong {@link #pop} throws and the queue is <em>broken</em>: it yields no further buffers, and
 * buffers given back vanish. It stays so for good; a reset of the device makes a new queue.
 */
public abstract sealed class Virtqueue permits SplitVirtqueue, PackedVirtqueue {
  private static final long MAX_TOTAL_BYTES = 1L << 32;

  final DeviceMemory memory;
  final int index;
  final int size;
  final int maxChainLength;
  final boolean indirect;
  final boolean eventIndex;
  private final MemorySegment memorySegment;
  private boolean broken;

  Virtqueue(DeviceMemory memory, VirtqueueConfig config, long features) {
    this.memory = memory;
    this.memorySegment = memory.segment();
    this.index = config.index();
    this.size = config.size();
    this.maxChainLength = config.maxChainLength();
    this.indirect = (features & VirtioFeatures.INDIRECT_DESC) != 0;
    this.eventIndex = (features & VirtioFeatures.EVENT_IDX) != 0;
  }

  /**
   * Makes the device's side of a queue.
   *
   * @param features the negotiated features: they choose the format and what may be used in it
   * @throws VirtqueueException if the driver has put the queue where it cannot be
   */
  public static Virtqueue create(DeviceMemory memory, VirtqueueConfig config, long features)
      throws VirtqueueException {
    return (features & VirtioFeatures.RING_PACKED) != 0
        ? new PackedVirtqueue(memory, config, features)
        : new SplitVirtqueue(memory, config, features);
  }

  /** The queue's index in its device. */
  public final int index() {
    return index;
  }

  /** How many descriptors its ring has. */
  public final int size() {
    return size;
  }

  /** Whether a fault has ended its service. */
  public final boolean isBroken() {
    return broken;
  }

  /**
   * Whether {@link #pop} would find something: one load of guest memory at most, for polling. A
   * driver that cheats may make this true for a queue whose pop then throws.
   */
  public abstract boolean hasAvailable();

  /**
   * Takes the next available buffer.
   *
   * @param chain filled with the buffer; left empty if there is none
   * @return whether there was one
   * @throws VirtqueueException if what the driver has handed over is malformed; the queue is then
   *     broken
   */
  public abstract boolean pop(DescriptorChain chain) throws VirtqueueException;

  /**
   * Gives a buffer back. The driver sees it at the next {@link #publish}; the chain may be reused
   * at once.
   *
   * @param chain as {@link #pop} on this queue has filled it, once
   * @param usedLength bytes that the device has written, counted from the start of the writable
   *     part; 0..{@link DescriptorChain#writableBytes}
   */
  public abstract void push(DescriptorChain chain, long usedLength);

  /**
   * Makes all buffers pushed so far visible to the driver: once per batch.
   *
   * @return whether the driver wants an interrupt for them
   */
  public abstract boolean publish();

  /**
   * Asks the driver for a notification of the next buffer it makes available.
   *
   * @return whether a buffer is available already, perhaps made so before the driver could see the
   *     request: then no notification may come for it and the caller must look again
   */
  public abstract boolean enableNotifications();

  /**
   * Tells the driver that notifications are not needed for now. A hint: some may still come, so
   * what they trigger must be harmless.
   */
  public abstract void disableNotifications();

  /** How many buffers have been popped and not yet pushed. */
  public abstract int inFlight();

  /**
   * Where the device stands.
   *
   * @throws IllegalStateException if buffers are in flight or pushed but not published
   */
  public abstract VirtqueueState state();

  /**
   * Goes on from where a device stood, in a queue just made.
   *
   * @throws IllegalArgumentException if the state cannot be one of a queue of this size and format
   */
  public abstract void restore(VirtqueueState state);

  final VirtqueueException fault(DescriptorChain chain, VirtqueueFault fault, String detail) {
    broken = true;
    chain.clear();
    return new VirtqueueException(index, fault, detail);
  }

  /** Adds a descriptor, as read from its table, to the chain. */
  final void append(DescriptorChain chain, long address, long length, boolean writable)
      throws VirtqueueException {
    if (chain.count() == maxChainLength) {
      throw fault(
          chain,
          VirtqueueFault.CHAIN_TOO_LONG,
          "a chain has more than " + maxChainLength + " descriptors");
    }
    long offset = memory.offsetOf(address, length);
    if (offset < 0 || length == 0) {
      throw badBuffer(chain, "a buffer", address, length);
    }
    if (writable) {
      chain.appendWritable(offset, length);
    } else if (chain.writableCount() == 0) {
      chain.appendReadable(offset, length);
    } else {
      throw fault(
          chain,
          VirtqueueFault.WRITABLE_BEFORE_READABLE,
          "a readable descriptor comes after a writable one");
    }
  }

  /** Ends a chain whose descriptors have all been added. */
  final void finish(DescriptorChain chain, int id, int ringSlots) throws VirtqueueException {
    // Cannot overflow: at most 32768 pieces of less than 4 GiB.
    long total = chain.readableBytes() + chain.writableBytes();
    if (total > MAX_TOTAL_BYTES) {
      throw fault(
          chain, VirtqueueFault.TOTAL_TOO_LARGE, "a chain has " + total + " bytes, over 4 GiB");
    }
    chain.identify(id, ringSlots);
  }

  /**
   * Checks an indirect descriptor (section 2.7.5.3).
   *
   * @return where its table starts in the memory segment
   */
  final long indirectTable(DescriptorChain chain, long address, long length, int flags)
      throws VirtqueueException {
    if (!indirect) {
      throw fault(
          chain,
          VirtqueueFault.INDIRECT_NOT_NEGOTIATED,
          "an indirect descriptor without the feature");
    }
    if ((flags & RingFormat.NEXT) != 0) {
      throw fault(
          chain, VirtqueueFault.INDIRECT_WITH_NEXT, "an indirect descriptor has a successor");
    }
    if (length == 0 || length % RingFormat.DESCRIPTOR_SIZE != 0) {
      throw fault(
          chain,
          VirtqueueFault.BAD_INDIRECT_TABLE,
          "an indirect table of " + length + " bytes is no whole number of descriptors");
    }
    long offset = memory.offsetOf(address, length);
    if (offset < 0) {
      throw badBuffer(chain, "an indirect table", address, length);
    }
    return offset;
  }

  final VirtqueueException indirectInIndirect(DescriptorChain chain) {
    return fault(
        chain,
        VirtqueueFault.INDIRECT_IN_INDIRECT,
        "an indirect table holds an indirect descriptor");
  }

  /** Reads one word of an indirect table, which need not be aligned. */
  final long indirectWord(long offset) {
    if ((offset & 7) == 0) {
      return (long) RingFormat.LONG.getOpaque(memorySegment, offset);
    }
    return memorySegment.get(RingFormat.UNALIGNED_LONG, offset);
  }

  final void checkUsedLength(DescriptorChain chain, long usedLength) {
    if (usedLength < 0 || usedLength > chain.writableBytes()) {
      throw new IllegalArgumentException(
          usedLength + " bytes written of " + chain.writableBytes() + " writable ones");
    }
  }

  private VirtqueueException badBuffer(
      DescriptorChain chain, String what, long address, long length) {
    String where = what + " of " + length + " bytes at 0x" + Long.toHexString(address);
    if (length == 0) {
      return fault(chain, VirtqueueFault.ZERO_LENGTH, where);
    }
    if (Long.compareUnsigned(address + length, address) < 0) {
      return fault(chain, VirtqueueFault.LENGTH_WRAPS, where + " wraps around");
    }
    return fault(chain, VirtqueueFault.ADDRESS_OUT_OF_MEMORY, where + " is not in guest memory");
  }

  /** The memory of a ring area, checked to be there and aligned. */
  static MemorySegment area(
      DeviceMemory memory, int queue, String what, long address, long length, int alignment)
      throws VirtqueueException {
    long offset = memory.offsetOf(address, length);
    // A piece may lie in the segment otherwise than in the guest.
    if (address % alignment != 0 || (offset > 0 && offset % alignment != 0)) {
      throw new VirtqueueException(
          queue,
          VirtqueueFault.RING_MISALIGNED,
          what
              + " at 0x"
              + Long.toHexString(address)
              + " is not aligned to "
              + alignment
              + " bytes");
    }
    if (offset < 0) {
      throw new VirtqueueException(
          queue,
          VirtqueueFault.RING_OUT_OF_MEMORY,
          what + " at 0x" + Long.toHexString(address) + " is not in guest memory");
    }
    return memory.segment().asSlice(offset, length);
  }

  static VirtqueueException badSize(VirtqueueConfig config) {
    return new VirtqueueException(
        config.index(), VirtqueueFault.BAD_QUEUE_SIZE, "its size cannot be " + config.size());
  }
}

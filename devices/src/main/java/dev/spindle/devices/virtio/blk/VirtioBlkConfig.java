// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.graph.BlockNode;
import dev.spindle.devices.virtio.VirtioConfigSpace;

/** The configuration space of a block device (virtio 1.3, section 5.2.4). Any thread. */
final class VirtioBlkConfig {
  private static final int SIZE = 60;
  private static final int CAPACITY = 0;
  private static final int SEG_MAX = 12;
  private static final int BLK_SIZE = 20;
  private static final int PHYSICAL_BLOCK_EXP = 24;
  private static final int MIN_IO_SIZE = 26;
  private static final int OPT_IO_SIZE = 28;
  private static final int WRITEBACK = 32;
  private static final int NUM_QUEUES = 34;
  private static final int MAX_DISCARD_SECTORS = 36;
  private static final int MAX_DISCARD_SEG = 40;
  private static final int DISCARD_SECTOR_ALIGNMENT = 44;
  private static final int MAX_WRITE_ZEROES_SECTORS = 48;
  private static final int MAX_WRITE_ZEROES_SEG = 52;
  private static final int WRITE_ZEROES_MAY_UNMAP = 56;

  private final VirtioConfigSpace space = new VirtioConfigSpace(SIZE);

  VirtioBlkConfig(VirtioBlkOptions options, BlockNode node, int queues) {
    int logical = options.logicalBlockSize();
    space.update(
        bytes -> {
          bytes.putLong(CAPACITY, node.length() >> VirtioBlkFeatures.SECTOR_SHIFT);
          // Header and status take two descriptors of a chain.
          bytes.putInt(SEG_MAX, options.queueSize() - 2);
          bytes.putInt(BLK_SIZE, logical);
          bytes.put(
              PHYSICAL_BLOCK_EXP,
              (byte) Integer.numberOfTrailingZeros(options.physicalBlockSize() / logical));
          bytes.putShort(MIN_IO_SIZE, (short) (options.minIoSize() / logical));
          bytes.putInt(OPT_IO_SIZE, options.optIoSize() / logical);
          bytes.put(WRITEBACK, (byte) (options.writeCache() ? 1 : 0));
          bytes.putShort(NUM_QUEUES, (short) queues);
          bytes.putInt(MAX_DISCARD_SECTORS, (int) options.maxDiscardSectors());
          bytes.putInt(MAX_DISCARD_SEG, 1);
          bytes.putInt(
              DISCARD_SECTOR_ALIGNMENT,
              (int) (options.effectiveDiscardGranularity() >> VirtioBlkFeatures.SECTOR_SHIFT));
          bytes.putInt(MAX_WRITE_ZEROES_SECTORS, (int) options.maxWriteZeroesSectors());
          bytes.putInt(MAX_WRITE_ZEROES_SEG, 1);
          bytes.put(WRITE_ZEROES_MAY_UNMAP, (byte) 1);
        });
  }

  VirtioConfigSpace space() {
    return space;
  }

  /** Whether a write of the driver reaches the {@code writeback} field. */
  static boolean coversWriteback(int offset, int size) {
    return offset <= WRITEBACK && offset + size > WRITEBACK;
  }

  /** What a write that {@link #coversWriteback} puts there. */
  static boolean writebackOf(int offset, long value) {
    return (value >>> (8 * (WRITEBACK - offset)) & 1) != 0;
  }

  void setCapacity(long sectors) {
    space.update(bytes -> bytes.putLong(CAPACITY, sectors));
  }

  void setWriteback(boolean on) {
    space.update(bytes -> bytes.put(WRITEBACK, (byte) (on ? 1 : 0)));
  }

  boolean writeback() {
    return space.read(WRITEBACK, 1) != 0;
  }
}

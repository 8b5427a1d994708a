// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.devices.virtio.RingFormat;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the fuzzer of virtqueues begins with: drivers that keep to the rules, or hardly. Its input
 * is a head, the steps to be taken, and the guest's memory from address 0 on.
 */
final class VirtqueueSeeds {
  static final int PACKED = 1;
  static final int INDIRECT = 2;
  static final int EVENT_INDEX = 4;
  static final int READ_ONLY = 8;
  static final int RANGES = 16;
  static final int SECOND_LAP = 32;
  static final int LARGE_BLOCKS = 64;

  /** Flags, size, longest chain, where to start (16 bits), and how many bytes of steps. */
  static final int HEAD_BYTES = 6;

  static final int DESCRIPTORS = 0;
  static final int DRIVER_AREA = 0x100;
  static final int DEVICE_AREA = 0x140;
  private static final int TABLE = 0x1e0;
  private static final int HEADERS = 0x280;
  private static final int STATUSES = 0x240;
  private static final int RANGE = 0x2e0;
  private static final int IMAGE_BYTES = 0x300;

  private static final int POP = 0;
  private static final int COMPLETE = 3;
  private static final int PUBLISH = 4;
  private static final int ENABLE = 5;
  private static final int SCRIBBLE = 7;

  private VirtqueueSeeds() {}

  /** Reads an input. */
  static final class Script {
    private final byte[] bytes;
    private final int end;
    private int at = HEAD_BYTES;

    Script(byte[] bytes) {
      this.bytes = bytes;
      this.end = Math.min(bytes.length, HEAD_BYTES + Byte.toUnsignedInt(bytes[5]));
    }

    int flags() {
      return Byte.toUnsignedInt(bytes[0]);
    }

    int size() {
      return Byte.toUnsignedInt(bytes[1]);
    }

    int maxChain() {
      return Byte.toUnsignedInt(bytes[2]);
    }

    int start() {
      return Byte.toUnsignedInt(bytes[3]) | Byte.toUnsignedInt(bytes[4]) << 8;
    }

    int imageStart() {
      return end;
    }

    boolean hasNext() {
      return at < end;
    }

    /** 0 once there are no more. */
    int next() {
      return at < end ? Byte.toUnsignedInt(bytes[at++]) : 0;
    }
  }

  static Stream<byte[]> all() {
    List<byte[]> seeds = new ArrayList<>();
    for (int flags : new int[] {0, PACKED}) {
      for (boolean indirect : new boolean[] {false, true}) {
        int more = flags | EVENT_INDEX | RANGES | (indirect ? INDIRECT : 0);
        seeds.add(requests(more, indirect, 0, 8));
      }
      seeds.add(requests(flags | RANGES, false, -1, 12));
      seeds.add(requests(flags | RANGES, false, 15, 16));
      seeds.add(requests(flags | RANGES, false, 16, 17));
      seeds.add(requests(flags | RANGES | LARGE_BLOCKS, false, 1, 8));
      seeds.add(requests(flags | RANGES | READ_ONLY, false, 0, 8));
    }
    seeds.add(secondLap(false));
    seeds.add(secondLap(true));
    return seeds.stream();
  }

  /**
   * A packed ring whose driver makes its first slots available once more.
   *
   * @param givenBack whether the device has given them back, so that the driver may
   */
  private static byte[] secondLap(boolean givenBack) {
    ByteBuffer image = ByteBuffer.allocate(IMAGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int chain = 0; chain < 2; chain++) {
      ring(image, 2 * chain, HEADERS, 16, RingFormat.NEXT, chain, true);
      ring(image, 2 * chain + 1, STATUSES + chain, 1, RingFormat.WRITE, chain, true);
    }
    int used = RingFormat.PACKED_USED >> 8;
    int[][] written = {
      {14, RingFormat.NEXT}, {15, used}, {16 + 12, 5}, {16 + 14, RingFormat.WRITE}, {16 + 15, used}
    };
    ByteBuffer steps = ByteBuffer.allocate(32).put((byte) POP).put((byte) POP);
    byte first = (byte) (givenBack ? COMPLETE : ENABLE);
    steps.put(first).put(first).put((byte) PUBLISH);
    for (int[] one : written) {
      steps.put((byte) SCRIBBLE).put((byte) one[0]).put((byte) 0).put((byte) one[1]);
    }
    steps.put((byte) POP).put((byte) COMPLETE).put((byte) PUBLISH);
    return input(PACKED, 3, Arrays.copyOf(steps.array(), steps.position()), image);
  }

  /**
   * A read, a write, a flush, a question for the serial number, and a discard.
   *
   * @param firstSector of the read, the write's is the one behind it
   * @param discarded how many sectors, from the first one on
   */
  private static byte[] requests(int flags, boolean indirect, long firstSector, int discarded) {
    boolean packed = (flags & PACKED) != 0;
    ByteBuffer image = ByteBuffer.allocate(IMAGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    int[] types = {
      VirtioBlkFeatures.T_IN,
      VirtioBlkFeatures.T_OUT,
      VirtioBlkFeatures.T_FLUSH,
      VirtioBlkFeatures.T_GET_ID,
      VirtioBlkFeatures.T_DISCARD
    };
    image.putLong(RANGE, Math.max(0, firstSector)).putInt(RANGE + 8, discarded);
    int slot = 0;
    int chains = 0;
    for (int type : types) {
      int header = HEADERS + 16 * chains;
      image.putInt(header, type).putLong(header + 8, firstSector + chains);
      int head = slot;
      if (indirect && chains == 0) {
        put(image, TABLE, header, 16, 0, 1, packed);
        put(image, TABLE + 16, FuzzMemory.HIGH, 512, RingFormat.WRITE, 2, packed);
        put(image, TABLE + 32, STATUSES, 1, RingFormat.WRITE, 0, packed);
        if (!packed) {
          image.putShort(TABLE + 12, (short) RingFormat.NEXT);
          image.putShort(TABLE + 28, (short) (RingFormat.NEXT | RingFormat.WRITE));
        }
        slot = ring(image, slot, TABLE, 48, RingFormat.INDIRECT, chains, packed);
      } else {
        boolean readsMore = type == VirtioBlkFeatures.T_OUT || type == VirtioBlkFeatures.T_DISCARD;
        boolean range = type == VirtioBlkFeatures.T_DISCARD;
        slot = ring(image, slot, header, 16, RingFormat.NEXT, chains, packed);
        if (type != VirtioBlkFeatures.T_FLUSH) {
          int data = RingFormat.NEXT | (readsMore ? 0 : RingFormat.WRITE);
          int length = range ? 16 : type == VirtioBlkFeatures.T_GET_ID ? 20 : 512;
          slot = ring(image, slot, range ? RANGE : FuzzMemory.HIGH, length, data, chains, packed);
        }
        slot = ring(image, slot, STATUSES + chains, 1, RingFormat.WRITE, chains, packed);
      }
      if (!packed) {
        image.putShort(DRIVER_AREA + 4 + 2 * chains, (short) head);
      }
      chains++;
    }
    if (!packed) {
      image.putShort(DRIVER_AREA + 2, (short) chains);
    }
    byte[] steps = {
      POP, POP, COMPLETE, PUBLISH, ENABLE, POP, COMPLETE, COMPLETE, PUBLISH, SCRIBBLE, 0x2e, 1, 3,
      POP
    };
    return input(flags, packed ? 15 : 4, steps, image);
  }

  private static byte[] input(int flags, int size, byte[] steps, ByteBuffer image) {
    return ByteBuffer.allocate(HEAD_BYTES + steps.length + IMAGE_BYTES)
        .put((byte) flags)
        .put((byte) size)
        .put((byte) 7)
        .putShort((short) 0)
        .put((byte) steps.length)
        .put(steps)
        .put(image)
        .array();
  }

  private static int ring(
      ByteBuffer image, int slot, long address, int length, int flags, int id, boolean packed) {
    int available = packed ? flags | RingFormat.PACKED_AVAIL : flags;
    put(image, DESCRIPTORS + 16 * slot, address, length, available, packed ? id : slot + 1, packed);
    return slot + 1;
  }

  private static void put(
      ByteBuffer image, int at, long address, int length, int flags, int link, boolean packed) {
    image.putLong(at, address).putInt(at + 8, length);
    image.putShort(at + 12, (short) (packed ? link : flags));
    image.putShort(at + 14, (short) (packed ? flags : link));
  }
}

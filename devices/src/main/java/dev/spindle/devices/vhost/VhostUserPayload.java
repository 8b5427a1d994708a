// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;

/**
 * What a message says besides its code (vhost-user specification, section "Message specification").
 * 64-bit words are unsigned; numbers narrower than their Java type are not negative.
 */
public sealed interface VhostUserPayload {
  /** Appends it to a little-endian buffer. */
  void encode(ByteBuffer buffer);

  /** Bytes that {@link #encode} appends. */
  int size();

  /** Nothing. */
  record Empty() implements VhostUserPayload {
    @Override
    public void encode(ByteBuffer buffer) {}

    @Override
    public int size() {
      return 0;
    }
  }

  /**
   * A 64-bit word.
   *
   * @param value features, a status, a count: any 64 bits
   */
  record Word(long value) implements VhostUserPayload {
    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putLong(value);
    }

    @Override
    public int size() {
      return Long.BYTES;
    }
  }

  /**
   * A number of one queue.
   *
   * @param index the queue; any 32 bits
   * @param number its size, its position, or whether it is enabled; any 32 bits
   */
  record VringState(int index, int number) implements VhostUserPayload {
    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putInt(index).putInt(number);
    }

    @Override
    public int size() {
      return 8;
    }
  }

  /**
   * Where a queue is, in addresses of the front end's process.
   *
   * @param index the queue; any 32 bits
   * @param flags {@link #LOG} or none
   * @param log where writes to the used ring are logged: a guest-physical address
   */
  record VringAddress(int index, int flags, long descriptors, long used, long available, long log)
      implements VhostUserPayload {
    /** Writes to the used ring are logged. */
    public static final int LOG = 1;

    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putInt(index).putInt(flags);
      buffer.putLong(descriptors).putLong(used).putLong(available).putLong(log);
    }

    @Override
    public int size() {
      return 40;
    }
  }

  /**
   * Which queue a descriptor belongs to.
   *
   * @param index the queue: 0..255
   * @param withDescriptor whether one goes along; without one the queue has none, and is polled
   */
  record VringFile(int index, boolean withDescriptor) implements VhostUserPayload {
    private static final int NO_DESCRIPTOR = 1 << 8;

    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putLong(index | (withDescriptor ? 0 : NO_DESCRIPTOR));
    }

    @Override
    public int size() {
      return Long.BYTES;
    }
  }

  /**
   * A piece of the guest's memory. Nothing is said of whether the numbers make sense.
   *
   * @param guestAddress first guest-physical address
   * @param bytes its size
   * @param userAddress where the front end's process has it
   * @param fileOffset where it begins in its file
   */
  record Region(long guestAddress, long bytes, long userAddress, long fileOffset) {
    static final int SIZE = 32;

    void encode(ByteBuffer buffer) {
      buffer.putLong(guestAddress).putLong(bytes).putLong(userAddress).putLong(fileOffset);
    }

    static Region decode(ByteBuffer buffer) {
      return new Region(buffer.getLong(), buffer.getLong(), buffer.getLong(), buffer.getLong());
    }
  }

  /** All of the guest's memory; a descriptor goes along for each region, in order. */
  record MemoryTable(List<Region> regions) implements VhostUserPayload {
    /** The most regions that one message describes. */
    public static final int MOST_REGIONS = 8;

    private static final int HEADER_BYTES = 8;

    /** Keeps an immutable copy. */
    public MemoryTable {
      regions = List.copyOf(regions);
    }

    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putInt(regions.size()).putInt(0);
      regions.forEach(region -> region.encode(buffer));
    }

    @Override
    public int size() {
      return HEADER_BYTES + regions.size() * Region.SIZE;
    }
  }

  /** One region, which comes or goes. */
  record MemoryRegion(Region region) implements VhostUserPayload {
    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putLong(0);
      region.encode(buffer);
    }

    @Override
    public int size() {
      return 8 + Region.SIZE;
    }
  }

  /**
   * A part of the configuration space.
   *
   * @param offset where it begins; any 32 bits
   * @param flags 0, or 1 while the guest migrates; any 32 bits
   * @param bytes what is there, or as many as are asked for; never changed
   */
  @SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
  record Config(int offset, int flags, byte[] bytes) implements VhostUserPayload {
    /** The most bytes that one message carries. */
    public static final int MOST_BYTES = 256;

    private static final int HEADER_BYTES = 12;

    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putInt(offset).putInt(bytes.length).putInt(flags).put(bytes);
    }

    @Override
    public int size() {
      return HEADER_BYTES + bytes.length;
    }
  }

  /** A log in shared memory, whose descriptor goes along: one bit a page of 4 KiB. */
  record LogArea(long bytes, long fileOffset) implements VhostUserPayload {
    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putLong(bytes).putLong(fileOffset);
    }

    @Override
    public int size() {
      return 16;
    }
  }

  /**
   * Shared memory in which a back end notes the requests in flight.
   *
   * @param queues 0..65535
   * @param queueSize 0..65535
   */
  record Inflight(long bytes, long fileOffset, int queues, int queueSize)
      implements VhostUserPayload {
    private static final int SIZE = 24;

    /** The C structure without the bytes that fill it up. */
    private static final int BARE_SIZE = 20;

    @Override
    public void encode(ByteBuffer buffer) {
      buffer.putLong(bytes).putLong(fileOffset);
      buffer.putShort((short) queues).putShort((short) queueSize).putInt(0);
    }

    @Override
    public int size() {
      return SIZE;
    }
  }

  /** What a message of some code carries. */
  enum Kind {
    EMPTY,
    WORD,
    VRING_STATE,
    VRING_ADDRESS,
    VRING_FILE,
    MEMORY_TABLE,
    MEMORY_REGION,
    CONFIG,
    LOG_AREA,
    INFLIGHT;

    /**
     * Reads a payload.
     *
     * @param bytes all of it
     * @throws VhostUserException if it has another size than such a payload has
     */
    VhostUserPayload decode(byte[] bytes) throws VhostUserException {
      ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      return switch (this) {
        case EMPTY -> {
          require(bytes.length == 0, bytes);
          yield new Empty();
        }
        case WORD -> {
          require(bytes.length == Long.BYTES, bytes);
          yield new Word(buffer.getLong());
        }
        case VRING_STATE -> {
          require(bytes.length == 8, bytes);
          yield new VringState(buffer.getInt(), buffer.getInt());
        }
        case VRING_ADDRESS -> {
          require(bytes.length == 40, bytes);
          yield new VringAddress(
              buffer.getInt(),
              buffer.getInt(),
              buffer.getLong(),
              buffer.getLong(),
              buffer.getLong(),
              buffer.getLong());
        }
        case VRING_FILE -> {
          require(bytes.length == Long.BYTES, bytes);
          long value = buffer.getLong();
          yield new VringFile((int) (value & 0xff), (value & VringFile.NO_DESCRIPTOR) == 0);
        }
        case MEMORY_TABLE -> memoryTable(bytes, buffer);
        case MEMORY_REGION -> {
          require(bytes.length == 8 + Region.SIZE, bytes);
          buffer.getLong();
          yield new MemoryRegion(Region.decode(buffer));
        }
        case CONFIG -> config(bytes, buffer);
        case LOG_AREA -> {
          require(bytes.length == 16, bytes);
          yield new LogArea(buffer.getLong(), buffer.getLong());
        }
        case INFLIGHT -> {
          require(bytes.length == Inflight.SIZE || bytes.length == Inflight.BARE_SIZE, bytes);
          yield new Inflight(
              buffer.getLong(),
              buffer.getLong(),
              Short.toUnsignedInt(buffer.getShort()),
              Short.toUnsignedInt(buffer.getShort()));
        }
      };
    }

    private MemoryTable memoryTable(byte[] bytes, ByteBuffer buffer) throws VhostUserException {
      require(bytes.length >= MemoryTable.HEADER_BYTES, bytes);
      long count = Integer.toUnsignedLong(buffer.getInt());
      buffer.getInt();
      if (count > MemoryTable.MOST_REGIONS) {
        throw new VhostUserException(
            "a memory table of " + count + " regions, more than " + MemoryTable.MOST_REGIONS);
      }
      // A structure with room for all of them may be sent as a whole.
      require(
          bytes.length >= MemoryTable.HEADER_BYTES + count * Region.SIZE
              && bytes.length <= MemoryTable.HEADER_BYTES + MemoryTable.MOST_REGIONS * Region.SIZE,
          bytes);
      Region[] regions = new Region[(int) count];
      for (int i = 0; i < regions.length; i++) {
        regions[i] = Region.decode(buffer);
      }
      return new MemoryTable(Arrays.asList(regions));
    }

    private Config config(byte[] bytes, ByteBuffer buffer) throws VhostUserException {
      require(bytes.length >= Config.HEADER_BYTES, bytes);
      int offset = buffer.getInt();
      long count = Integer.toUnsignedLong(buffer.getInt());
      int flags = buffer.getInt();
      require(count <= Config.MOST_BYTES && bytes.length == Config.HEADER_BYTES + count, bytes);
      byte[] contents = new byte[(int) count];
      buffer.get(contents);
      return new Config(offset, flags, contents);
    }

    private void require(boolean right, byte[] bytes) throws VhostUserException {
      if (!right) {
        throw new VhostUserException("a payload of " + bytes.length + " bytes is no " + this);
      }
    }
  }
}

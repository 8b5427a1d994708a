// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.vhost.VhostUserPayload.Config;
import dev.spindle.devices.vhost.VhostUserPayload.Empty;
import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.vhost.VhostUserPayload.LogArea;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryRegion;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.Region;
import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.vhost.VhostUserPayload.VringFile;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxFile;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.MemFd;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the fuzzer of vhost-user begins with: front ends that keep to the rules. Its input is the
 * beginning of the memory that is shared, with its length (16 bits) before it, and then messages:
 * how many descriptors, a byte for each that says what it is, and the message itself.
 */
final class VhostUserSeeds {
  static final int MEMORY_BYTES = 64 << 10;

  static final int DRIVER_AREA = 0x100;
  static final int DEVICE_AREA = 0x180;
  private static final int HEADERS = 0x300;
  static final int IMAGE_BYTES = 0x340;
  static final int QUEUE_SIZE = 16;

  // Descriptors.
  static final byte MEMORY = 0;
  static final byte KICK = 2;
  static final byte CALL = 3;
  static final byte LARGE = 6;

  private VhostUserSeeds() {}

  /** What descriptors can be sent. */
  static final class Files implements AutoCloseable {
    private final MemFd memory = MemFd.create("fuzz-memory", MEMORY_BYTES, MemFd.Pages.NORMAL);
    private final Mapping mapping = memory.map();
    private final MemFd small = MemFd.create("fuzz-small", 4096, MemFd.Pages.NORMAL);
    private final MemFd large = MemFd.create("fuzz-large", 1 << 20, MemFd.Pages.NORMAL);
    private final EventFd kick = EventFd.create();
    private final EventFd call = EventFd.create();
    private final EventFd full = EventFd.create();
    private final LinuxFile directory;
    private final List<Fd> all;

    Files(Path folder) throws IOException {
      full.add(-2);
      directory = LinuxFile.open(folder);
      all =
          List.of(
              memory.fd(), small.fd(), kick.fd(), call.fd(), full.fd(), directory.fd(), large.fd());
    }

    Fd get(byte kind) {
      return all.get(Byte.toUnsignedInt(kind) % all.size());
    }

    /** Writes the beginning of the memory; the rest of it is zero. */
    void fill(byte[] image) {
      MemorySegment segment = mapping.segment();
      segment.fill((byte) 0);
      MemorySegment.copy(image, 0, segment, ValueLayout.JAVA_BYTE, 0, image.length);
      kick.signal();
    }

    @Override
    public void close() {
      mapping.close();
      memory.close();
      small.close();
      large.close();
      kick.close();
      call.close();
      full.close();
      directory.close();
    }
  }

  /** Reads an input from front to end. */
  static final class Input {
    private final byte[] bytes;
    private int at;

    Input(byte[] bytes) {
      this.bytes = bytes;
    }

    boolean hasNext() {
      return at < bytes.length;
    }

    private int next() {
      return at < bytes.length ? Byte.toUnsignedInt(bytes[at++]) : 0;
    }

    private byte[] next(int most) {
      int end = Math.min(bytes.length, at + most);
      byte[] part = Arrays.copyOfRange(bytes, at, end);
      at = end;
      return part;
    }

    byte[] image() {
      return next(Math.min(next() | next() << 8, MEMORY_BYTES));
    }

    byte[] descriptors(int most) {
      return next(next() % (most + 1));
    }

    /** A header and as many bytes as it says, unless the input ends before. */
    byte[] message() {
      byte[] header = next(VhostUserMessage.HEADER_BYTES);
      if (header.length < VhostUserMessage.HEADER_BYTES) {
        return header;
      }
      byte[] payload =
          next(Math.clamp(payloadBytes(header), 0, VhostUserMessage.MOST_PAYLOAD_BYTES));
      byte[] message = Arrays.copyOf(header, header.length + payload.length);
      System.arraycopy(payload, 0, message, header.length, payload.length);
      return message;
    }

    boolean isWhole(byte[] message) {
      return message.length >= VhostUserMessage.HEADER_BYTES
          && message.length == VhostUserMessage.HEADER_BYTES + (long) payloadBytes(message);
    }

    private static int payloadBytes(byte[] message) {
      return ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN).getInt(8);
    }
  }

  static int code(byte[] message) {
    return ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN).getInt(0);
  }

  static Stream<byte[]> all() {
    Stream<byte[]> sound =
        Stream.of(
            session(false, DEVICE_AREA),
            session(true, DEVICE_AREA),
            session(true, 1L << 40),
            odds());
    return Stream.concat(sound, VhostUserWrongs.all());
  }

  private static ByteBuffer begin() {
    return begin(image(), TestFrontEnd.FEATURES);
  }

  /** The memory, and what a front end says first. */
  static ByteBuffer begin(byte[] image, long features) {
    ByteBuffer bytes = ByteBuffer.allocate(16 << 10).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putShort((short) image.length).put(image);
    put(bytes, VhostUserRequest.SET_OWNER, new Empty());
    put(bytes, VhostUserRequest.GET_FEATURES, new Empty());
    put(bytes, VhostUserRequest.GET_PROTOCOL_FEATURES, new Empty());
    put(
        bytes,
        VhostUserRequest.SET_PROTOCOL_FEATURES,
        new Word(
            VhostUserFeatures.MQ
                | VhostUserFeatures.LOG_SHMFD
                | VhostUserFeatures.REPLY_ACK
                | VhostUserFeatures.BACKEND_REQ
                | VhostUserFeatures.CONFIG
                | VhostUserFeatures.INFLIGHT_SHMFD
                | VhostUserFeatures.CONFIGURE_MEM_SLOTS
                | VhostUserFeatures.STATUS));
    put(bytes, VhostUserRequest.SET_FEATURES, new Word(features));
    return bytes;
  }

  /** A queue that works, and ends. */
  private static byte[] session(boolean logged, long log) {
    ByteBuffer bytes = begin();
    Region region = TestFrontEnd.region(0, MEMORY_BYTES, 0);
    if (logged) {
      put(bytes, VhostUserRequest.ADD_MEM_REG, new MemoryRegion(region), MEMORY);
      put(bytes, VhostUserRequest.SET_LOG_BASE, new LogArea(4096, 0), LARGE);
      put(
          bytes,
          VhostUserRequest.SET_FEATURES,
          new Word(TestFrontEnd.FEATURES | VhostUserFeatures.LOG_ALL));
      put(bytes, VhostUserRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 1, QUEUE_SIZE));
      put(
          bytes,
          VhostUserRequest.SET_INFLIGHT_FD,
          new Inflight(InflightLog.bytes(QUEUE_SIZE), 0, 1, QUEUE_SIZE),
          LARGE);
    } else {
      put(bytes, VhostUserRequest.SET_MEM_TABLE, new MemoryTable(List.of(region)), MEMORY);
    }
    startQueue(bytes, logged, log);
    put(bytes, VhostUserRequest.SET_STATUS, new Word(15));
    put(bytes, VhostUserRequest.SET_VRING_CALL, new VringFile(0, false));
    put(bytes, VhostUserRequest.GET_VRING_BASE, new VringState(0, 0));
    if (logged) {
      put(bytes, VhostUserRequest.REM_MEM_REG, new MemoryRegion(region));
    }
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /** Has queue 0 work. */
  static void startQueue(ByteBuffer bytes, boolean logged) {
    startQueue(bytes, logged, DEVICE_AREA);
  }

  /**
   * Has queue 0 work.
   *
   * @param log the guest's address for which the log says that the used ring has been written
   */
  private static void startQueue(ByteBuffer bytes, boolean logged, long log) {
    put(bytes, VhostUserRequest.SET_VRING_NUM, new VringState(0, QUEUE_SIZE));
    put(bytes, VhostUserRequest.SET_VRING_BASE, new VringState(0, 0));
    put(
        bytes,
        VhostUserRequest.SET_VRING_ADDR,
        new VringAddress(
            0,
            logged ? VringAddress.LOG : 0,
            TestFrontEnd.USER_BASE,
            TestFrontEnd.USER_BASE + DEVICE_AREA,
            TestFrontEnd.USER_BASE + DRIVER_AREA,
            log));
    put(bytes, VhostUserRequest.SET_VRING_CALL, new VringFile(0, true), CALL);
    put(bytes, VhostUserRequest.SET_VRING_ERR, new VringFile(0, true), CALL);
    put(bytes, VhostUserRequest.SET_VRING_KICK, new VringFile(0, true), KICK);
    put(bytes, VhostUserRequest.SET_VRING_ENABLE, new VringState(0, 1));
  }

  /** What else there is to say. */
  private static byte[] odds() {
    ByteBuffer bytes = begin();
    put(bytes, VhostUserRequest.GET_QUEUE_NUM, new Empty());
    put(bytes, VhostUserRequest.GET_CONFIG, new Config(0, 0, new byte[60]));
    put(bytes, VhostUserRequest.SET_CONFIG, new Config(32, 0, new byte[1]));
    put(bytes, VhostUserRequest.GET_STATUS, new Empty());
    put(bytes, VhostUserRequest.SET_LOG_FD, new Word(0), CALL);
    put(bytes, VhostUserRequest.SET_BACKEND_REQ_FD, new Empty(), CALL);
    put(bytes, VhostUserRequest.RESET_DEVICE, new Empty());
    put(bytes, VhostUserRequest.RESET_OWNER, new Empty());
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  static void put(
      ByteBuffer bytes, VhostUserRequest request, VhostUserPayload payload, byte... descriptors) {
    bytes.put((byte) descriptors.length).put(descriptors);
    boolean acknowledged = request == VhostUserRequest.SET_FEATURES;
    bytes.put(new VhostUserMessage(request, false, acknowledged, payload, List.of()).encode());
  }

  /** A ring with a read and a write made available. */
  static byte[] image() {
    ByteBuffer image = ByteBuffer.allocate(IMAGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 2; i++) {
      int header = HEADERS + 16 * i;
      image.putInt(header, i);
      int data = RingFormat.NEXT | (i == 0 ? RingFormat.WRITE : 0);
      descriptor(image, 3 * i, header, 16, RingFormat.NEXT);
      descriptor(image, 3 * i + 1, 0x1000, 4096, data);
      descriptor(image, 3 * i + 2, HEADERS + 32 + i, 1, RingFormat.WRITE);
      image.putShort(DRIVER_AREA + 4 + 2 * i, (short) (3 * i));
    }
    image.putShort(DRIVER_AREA + 2, (short) 2);
    return image.array();
  }

  private static void descriptor(ByteBuffer image, int slot, long address, int length, int flags) {
    image.putLong(16 * slot, address).putInt(16 * slot + 8, length);
    image.putShort(16 * slot + 12, (short) flags).putShort(16 * slot + 14, (short) (slot + 1));
  }
}

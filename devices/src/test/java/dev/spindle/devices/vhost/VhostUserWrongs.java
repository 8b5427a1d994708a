// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static dev.spindle.devices.vhost.VhostUserSeeds.CALL;
import static dev.spindle.devices.vhost.VhostUserSeeds.KICK;
import static dev.spindle.devices.vhost.VhostUserSeeds.LARGE;
import static dev.spindle.devices.vhost.VhostUserSeeds.MEMORY;
import static dev.spindle.devices.vhost.VhostUserSeeds.MEMORY_BYTES;
import static dev.spindle.devices.vhost.VhostUserSeeds.QUEUE_SIZE;

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
import dev.spindle.devices.virtio.VirtioFeatures;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** Front ends for the fuzzer to begin with that break one rule each, with a queue at work. */
final class VhostUserWrongs {
  /** Where in the shared memory the requests in flight are noted. */
  private static final int INFLIGHT = 0x1000;

  /** No queue: the one behind the last. */
  private static final int BEYOND = 2;

  /** A message and what goes along. */
  private record Wrong(VhostUserRequest request, VhostUserPayload payload, byte... descriptors) {}

  private VhostUserWrongs() {}

  static Stream<byte[]> all() {
    List<byte[]> seeds = new ArrayList<>();
    for (Wrong wrong : wrongs()) {
      seeds.add(said(wrong));
    }
    for (int bytes : new int[] {4, 12, 40}) {
      seeds.add(cutMemoryTable(bytes));
    }
    seeds.add(inflight(false, 99, 1));
    seeds.add(inflight(false, 0, 0xfff0));
    seeds.add(inflight(true, QUEUE_SIZE, 2));
    seeds.add(inflight(true, 1, 99));
    seeds.add(tooSmallInflight());
    return seeds.stream();
  }

  private static List<Wrong> wrongs() {
    Region sound = TestFrontEnd.region(0, MEMORY_BYTES, 0);
    Region tooLong = TestFrontEnd.region(1 << 20, 2 * MEMORY_BYTES, 0);
    return List.of(
        new Wrong(VhostUserRequest.SET_VRING_NUM, new VringState(BEYOND, QUEUE_SIZE)),
        new Wrong(VhostUserRequest.SET_VRING_NUM, new VringState(1, 3)),
        new Wrong(VhostUserRequest.SET_VRING_NUM, new VringState(1, 1 << 17)),
        new Wrong(VhostUserRequest.SET_VRING_NUM, new VringState(0, QUEUE_SIZE / 2)),
        new Wrong(VhostUserRequest.SET_VRING_BASE, new VringState(BEYOND, 0)),
        new Wrong(VhostUserRequest.SET_VRING_ENABLE, new VringState(-1, 1)),
        new Wrong(VhostUserRequest.GET_VRING_BASE, new VringState(BEYOND, 0)),
        new Wrong(VhostUserRequest.SET_VRING_KICK, new VringFile(BEYOND, true), KICK),
        new Wrong(VhostUserRequest.SET_VRING_KICK, new VringFile(1, true)),
        new Wrong(VhostUserRequest.SET_VRING_KICK, new VringFile(1, false), KICK),
        new Wrong(VhostUserRequest.SET_VRING_CALL, new VringFile(0, true), CALL, CALL),
        new Wrong(VhostUserRequest.SET_VRING_CALL, new VringFile(1, true), MEMORY),
        new Wrong(VhostUserRequest.SET_VRING_ADDR, new VringAddress(BEYOND, 0, 0, 0, 0, 0)),
        new Wrong(
            VhostUserRequest.SET_VRING_ADDR,
            new VringAddress(0, VringAddress.LOG, 0, 0, 0, Long.MAX_VALUE)),
        new Wrong(
            VhostUserRequest.SET_MEM_TABLE, new MemoryTable(List.of(sound, sound)), MEMORY, MEMORY),
        new Wrong(VhostUserRequest.SET_MEM_TABLE, new MemoryTable(List.of(sound))),
        new Wrong(VhostUserRequest.ADD_MEM_REG, new MemoryRegion(sound), MEMORY),
        new Wrong(VhostUserRequest.ADD_MEM_REG, new MemoryRegion(tooLong), MEMORY),
        new Wrong(VhostUserRequest.ADD_MEM_REG, new MemoryRegion(new Region(-1, 1, -1, -1)), LARGE),
        new Wrong(VhostUserRequest.REM_MEM_REG, new MemoryRegion(tooLong)),
        new Wrong(VhostUserRequest.SET_LOG_BASE, new LogArea(2 << 20, 0), LARGE),
        new Wrong(VhostUserRequest.SET_LOG_BASE, new LogArea(8, -8), LARGE),
        new Wrong(VhostUserRequest.GET_INFLIGHT_FD, new Inflight(0, 0, BEYOND + 1, QUEUE_SIZE)),
        new Wrong(VhostUserRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 1, 0)),
        new Wrong(VhostUserRequest.SET_INFLIGHT_FD, new Inflight(64, 0, 2, QUEUE_SIZE), LARGE),
        new Wrong(VhostUserRequest.GET_CONFIG, new Config(250, 0, new byte[60])),
        new Wrong(VhostUserRequest.GET_CONFIG, new Config(-1, 0, new byte[1])),
        new Wrong(VhostUserRequest.SET_CONFIG, new Config(-100, 0, new byte[100])),
        new Wrong(VhostUserRequest.SET_FEATURES, new Word(-1)),
        new Wrong(VhostUserRequest.SET_PROTOCOL_FEATURES, new Word(-1)),
        new Wrong(VhostUserRequest.SET_BACKEND_REQ_FD, new Empty(), MEMORY));
  }

  private static ByteBuffer begin(byte[] image, long features) {
    ByteBuffer bytes = VhostUserSeeds.begin(image, features);
    Region region = TestFrontEnd.region(0, MEMORY_BYTES, 0);
    VhostUserSeeds.put(
        bytes, VhostUserRequest.SET_MEM_TABLE, new MemoryTable(List.of(region)), MEMORY);
    return bytes;
  }

  private static byte[] said(Wrong wrong) {
    ByteBuffer bytes = begin(VhostUserSeeds.image(), TestFrontEnd.FEATURES);
    VhostUserSeeds.put(bytes, VhostUserRequest.SET_LOG_BASE, new LogArea(4096, 0), LARGE);
    VhostUserSeeds.put(bytes, VhostUserRequest.SET_LOG_BASE, new LogArea(4096, 0), LARGE);
    VhostUserSeeds.startQueue(bytes, false);
    VhostUserSeeds.put(bytes, wrong.request, wrong.payload, wrong.descriptors);
    VhostUserSeeds.put(bytes, VhostUserRequest.GET_VRING_BASE, new VringState(0, 0));
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /** A table of eight regions that ends before the first one does, or begins. */
  private static byte[] cutMemoryTable(int payloadBytes) {
    ByteBuffer bytes = VhostUserSeeds.begin(VhostUserSeeds.image(), TestFrontEnd.FEATURES);
    bytes.put((byte) 1).put(MEMORY);
    bytes.putInt(VhostUserRequest.SET_MEM_TABLE.code()).putInt(1).putInt(payloadBytes);
    bytes.putInt(MemoryTable.MOST_REGIONS).put(new byte[payloadBytes - Integer.BYTES]);
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /** Memory that a split queue's requests in flight would fit into, and no byte behind it. */
  private static byte[] tooSmallInflight() {
    long features = TestFrontEnd.FEATURES | VirtioFeatures.RING_PACKED;
    ByteBuffer bytes = begin(VhostUserSeeds.image(), features);
    long area = InflightLog.bytes(QUEUE_SIZE);
    VhostUserSeeds.put(
        bytes,
        VhostUserRequest.SET_INFLIGHT_FD,
        new Inflight(area, MEMORY_BYTES - area, 1, QUEUE_SIZE),
        MEMORY);
    VhostUserSeeds.startQueue(bytes, false);
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /**
   * Requests in flight that a back end before this one is said to have noted.
   *
   * @param link the entry that is named as another one's next
   * @param number of the used index that is noted, or of entries that a request takes
   */
  private static byte[] inflight(boolean packed, int link, int number) {
    ByteBuffer image = ByteBuffer.allocate(INFLIGHT + 1024).order(ByteOrder.LITTLE_ENDIAN);
    image.put(VhostUserSeeds.image());
    image.putShort(INFLIGHT + 8, (short) 1).putShort(INFLIGHT + 10, (short) QUEUE_SIZE);
    if (packed) {
      int entry = INFLIGHT + 32;
      image.put(entry, (byte) 1).putShort(entry + 2, (short) link);
      image.putShort(entry + 6, (short) number);
    } else {
      image.putShort(INFLIGHT + 12, (short) link).putShort(INFLIGHT + 14, (short) number);
      image.put(INFLIGHT + 16, (byte) 1);
    }
    long features = TestFrontEnd.FEATURES | (packed ? VirtioFeatures.RING_PACKED : 0);
    ByteBuffer bytes = begin(image.array(), features);
    VhostUserSeeds.put(
        bytes,
        VhostUserRequest.SET_INFLIGHT_FD,
        new Inflight(1024, INFLIGHT, 1, QUEUE_SIZE),
        MEMORY);
    VhostUserSeeds.startQueue(bytes, false);
    return Arrays.copyOf(bytes.array(), bytes.position());
  }
}

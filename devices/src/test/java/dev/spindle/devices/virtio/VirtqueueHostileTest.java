// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.memory.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A driver that writes whatever it likes: half-way sensible rings, with every field wrong now and
 * then. Whatever it does, the device gets sound chains or a {@link VirtqueueException}, soon.
 */
class VirtqueueHostileTest {
  private static final int CHAINS = 1_000_000;
  private static final long SEED = 0x5b1d1e;

  private static final long GIB = 1L << 30;
  private static final long MIB = 1L << 20;
  private static final long LOW_END = 3 * GIB;
  private static final long HIGH = 4 * GIB;
  private static final long MEMORY = 3 * GIB + MIB;

  private static final long DESCRIPTORS = 0x1000;
  private static final long DRIVER_AREA = 0x2000;
  private static final long DEVICE_AREA = 0x3000;
  private static final long TABLES = 0x4000;
  private static final int TABLE_ENTRIES = 64;
  private static final long UNTOUCHED = 0x10000;
  private static final long UNTOUCHED_SIZE = 0x10000;

  private final SplittableRandom random = new SplittableRandom(SEED);
  private final Map<VirtqueueFault, Integer> faults = new EnumMap<>(VirtqueueFault.class);
  private final List<DescriptorChain> inFlight = new ArrayList<>();
  private final List<DescriptorChain> spare = new ArrayList<>();
  private GuestMemory memory;
  private boolean packed;
  private int size;
  private int maxChain;
  private Virtqueue queue;
  private int availIndex;
  private int nextSlot;
  private boolean wrap;
  private int good;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aMillionHostileChains(boolean ringIsPacked) throws Exception {
    packed = ringIsPacked;
    try (GuestMemory allocated = GuestMemory.allocate(MEMORY)) {
      memory = allocated;
      byte[] pattern = new byte[(int) UNTOUCHED_SIZE];
      random.nextBytes(pattern);
      memory.write(UNTOUCHED, pattern);
      int attempts = 0;
      while (attempts < CHAINS) {
        if (queue == null || queue.isBroken() || random.nextInt(200) == 0) {
          newQueue();
        }
        scribble();
        attempts += drain();
        complete();
      }
      byte[] after = new byte[pattern.length];
      memory.read(UNTOUCHED, after);
      assertEquals(
          -1,
          MemorySegment.ofArray(pattern).mismatch(MemorySegment.ofArray(after)),
          "the queue has written to the driver's buffers");
    }
    // Worth its name only if every wall was run into, and most chains got far enough to be read.
    assertEquals(expectedFaults(), faults.keySet());
    assertTrue(good > CHAINS / 3, good + " chains were well-formed");
  }

  private Set<VirtqueueFault> expectedFaults() {
    Set<VirtqueueFault> expected = EnumSet.allOf(VirtqueueFault.class);
    expected.remove(VirtqueueFault.BAD_QUEUE_SIZE);
    expected.remove(VirtqueueFault.RING_MISALIGNED);
    expected.remove(VirtqueueFault.RING_OUT_OF_MEMORY);
    if (packed) {
      expected.remove(VirtqueueFault.INDEX_OUT_OF_RANGE);
      expected.remove(VirtqueueFault.AVAIL_INDEX_TOO_FAR);
    }
    return expected;
  }

  private void newQueue() throws VirtqueueException {
    spare.addAll(inFlight);
    inFlight.clear();
    size = packed ? random.nextInt(1, 20) : 1 << random.nextInt(5);
    maxChain = random.nextInt(1, 24);
    long features =
        (packed ? VirtioFeatures.RING_PACKED : 0)
            | (random.nextInt(8) != 0 ? VirtioFeatures.INDIRECT_DESC : 0)
            | (random.nextBoolean() ? VirtioFeatures.EVENT_IDX : 0);
    queue =
        Virtqueue.create(
            memory,
            new VirtqueueConfig(0, size, maxChain, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA),
            features);
    memory.slice(DESCRIPTORS, 0x1000).fill((byte) 0);
    memory.slice(DRIVER_AREA, 0x1000).fill((byte) 0);
    nextSlot = random.nextInt(size);
    wrap = random.nextBoolean();
    availIndex = packed ? nextSlot : random.nextInt(0x10000);
    queue.restore(new VirtqueueState(availIndex, !packed || wrap, availIndex, !packed || wrap));
  }

  // ---- The driver ----------------------------------------------------------------------------

  private void scribble() {
    for (int i = 0; i < 8; i++) {
      int entry = random.nextInt(TABLE_ENTRIES);
      tableEntry(TABLES + 16L * entry, entry);
    }
    int chains = random.nextInt(1, 4);
    for (int i = 0; i < chains; i++) {
      if (packed) {
        scribblePackedChain();
      } else {
        scribbleSplitChain();
      }
    }
    memory.writeInt(DRIVER_AREA, packed ? random.nextInt() : memory.readInt(DRIVER_AREA));
    if (!packed) {
      memory.writeShort(DRIVER_AREA, random.nextInt(4));
      memory.writeShort(DRIVER_AREA + 4 + 2L * size, random.nextInt(0x10000));
      memory.writeShort(DRIVER_AREA + 2, rarely(300) ? random.nextInt(0x10000) : availIndex);
    }
  }

  private void tableEntry(long place, int index) {
    int flags = random.nextInt(4);
    if (rarely(100)) {
      flags = random.nextInt(0x10000);
    }
    int next = rarely(30) ? random.nextInt(0x10000) : index + 1 + random.nextInt(2);
    write(place, address(), length(), packed ? 0 : flags, packed ? flags : next);
  }

  private void scribbleSplitChain() {
    int slot = random.nextInt(size);
    int head = rarely(200) ? random.nextInt(0x10000) : slot;
    int pieces = random.nextInt(1, 6);
    boolean writable = false;
    for (int i = 0; i < pieces; i++) {
      boolean last = i == pieces - 1;
      writable |= random.nextBoolean();
      int next = rarely(100) ? random.nextInt(0x10000) : random.nextInt(size);
      piece(slot, last, writable, next);
      if (next >= size) {
        break;
      }
      slot = next;
    }
    memory.writeShort(DRIVER_AREA + 4 + 2L * (availIndex & (size - 1)), head);
    availIndex = (availIndex + 1) & 0xffff;
  }

  private void scribblePackedChain() {
    int pieces = rarely(50) ? size + 1 : random.nextInt(1, 6);
    boolean writable = false;
    for (int i = 0; i < pieces; i++) {
      writable |= random.nextBoolean();
      int wrapFlags = wrap ? HandMadeRing.AVAIL : HandMadeRing.USED;
      piece(nextSlot, i == pieces - 1, writable, wrapFlags);
      if (++nextSlot == size) {
        nextSlot = 0;
        wrap = !wrap;
      }
    }
  }

  /** Split: {@code link} is next. Packed: it is the flags that say available. */
  private void piece(int slot, boolean last, boolean writable, int link) {
    int flags = (last ? 0 : RingFormat.NEXT) | (writable ? RingFormat.WRITE : 0);
    long address = address();
    long length = length();
    if (last && random.nextInt(3) == 0) {
      flags |= RingFormat.INDIRECT;
      int entries = random.nextInt(1, 9);
      address = TABLES + 16L * random.nextInt(TABLE_ENTRIES - 8) + (rarely(20) ? 4 : 0);
      length = rarely(30) ? length() : 16L * entries;
    }
    if (rarely(150)) {
      flags ^= 1 << random.nextInt(3);
    }
    if (rarely(500)) {
      flags = random.nextInt(0x10000);
    }
    int id = rarely(4) ? random.nextInt(8) : random.nextInt(0x10000);
    write(
        DESCRIPTORS + 16L * slot,
        address,
        length,
        packed ? id : flags,
        packed ? flags | link : link);
  }

  private void write(long place, long address, long length, int third, int fourth) {
    memory.writeLong(place, address);
    memory.writeInt(place + 8, (int) length);
    memory.writeShort(place + 12, third);
    memory.writeShort(place + 14, fourth);
  }

  private long address() {
    return switch (random.nextInt(300)) {
      case 0 -> random.nextLong();
      case 1 -> -random.nextLong(1, 0x2000);
      case 2 -> LOW_END - random.nextLong(0, 0x1000);
      case 3 -> LOW_END + random.nextLong(0, GIB);
      case 4 -> HIGH + MIB - random.nextLong(0, 0x1000);
      default ->
          (random.nextInt(4) == 0 ? HIGH : UNTOUCHED) + random.nextLong(0, UNTOUCHED_SIZE / 2);
    };
  }

  private long length() {
    return switch (random.nextInt(300)) {
      case 0 -> 0;
      case 1 -> random.nextLong(1L << 32);
      case 2 -> 0xffff_ffffL;
      case 3, 4, 5 -> LOW_END - 2 * UNTOUCHED - UNTOUCHED_SIZE;
      default -> random.nextLong(1, 0x1000);
    };
  }

  private boolean rarely(int oneIn) {
    return random.nextInt(oneIn) == 0;
  }

  // ---- The device ----------------------------------------------------------------------------

  private int drain() {
    if (random.nextInt(4) == 0) {
      queue.disableNotifications();
    }
    int attempts = 0;
    while (true) {
      DescriptorChain chain = spare.isEmpty() ? new DescriptorChain() : spare.removeLast();
      try {
        if (!queue.pop(chain)) {
          spare.add(chain);
          break;
        }
        attempts++;
        good++;
        check(chain);
        inFlight.add(chain);
      } catch (VirtqueueException e) {
        attempts++;
        faults.merge(e.fault(), 1, Integer::sum);
        spare.add(chain);
        assertTrue(queue.isBroken());
        break;
      }
      assertTrue(inFlight.size() <= size, "more chains than slots");
    }
    queue.enableNotifications();
    return attempts + (queue.isBroken() ? 0 : 1);
  }

  private void check(DescriptorChain chain) {
    assertTrue(chain.count() >= 1 && chain.count() <= maxChain);
    long readable = 0;
    long writable = 0;
    for (int i = 0; i < chain.count(); i++) {
      long offset = chain.offset(i);
      long end = offset + chain.length(i);
      boolean low = offset >= 0 && end > offset && end <= LOW_END;
      boolean high = offset >= LOW_END && end > offset && end <= MEMORY;
      assertTrue(low || high, "a piece outside memory");
      if (chain.isWritable(i)) {
        writable += chain.length(i);
      } else {
        assertEquals(0, writable, "a readable piece after a writable one");
        readable += chain.length(i);
      }
    }
    assertEquals(readable, chain.readableBytes());
    assertEquals(writable, chain.writableBytes());
    assertTrue(readable + writable <= 1L << 32);
  }

  private void complete() {
    int count = random.nextInt(4) == 0 ? random.nextInt(inFlight.size() + 1) : inFlight.size();
    for (int i = 0; i < count; i++) {
      DescriptorChain chain = inFlight.remove(random.nextInt(inFlight.size()));
      queue.push(chain, random.nextLong(chain.writableBytes() + 1));
      spare.add(chain);
    }
    queue.publish();
    assertEquals(inFlight.size(), queue.inFlight());
  }
}

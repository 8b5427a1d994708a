// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.DescriptorChain;
import dev.spindle.devices.virtio.PackedVirtqueue;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.Virtqueue;
import dev.spindle.devices.virtio.VirtqueueException;
import dev.spindle.devices.virtio.VirtqueueState;
import dev.spindle.devices.virtio.blk.LeftBehind;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestArea;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A device on a packed ring that dies at any step, and the one after it. */
class PackedInflightLogTest {
  private static final int SIZE = 16;
  private static final int MEMORY = 1 << 20;
  private static final int BUFFERS = MEMORY / 2;

  /** Dies and comes back; keeps count of what the next one must find. */
  private static final class Device {
    private final GuestMemory memory;
    private final DriverQueue driver;
    private final long features;
    private final MemorySegment shared;
    private PackedVirtqueue ring;
    private PackedInflightLog log;
    private List<DescriptorChain> inFlight = new ArrayList<>();

    /** Where the buffers are that have been taken and not published, in the order of taking. */
    private final List<Long> taken = new ArrayList<>();

    private final List<Long> finished = new ArrayList<>();

    Device(GuestMemory memory, DriverQueue driver, long features, MemorySegment shared)
        throws Exception {
      this.memory = memory;
      this.driver = driver;
      this.features = features;
      this.shared = shared;
      begin();
    }

    void begin() throws Exception {
      ring = (PackedVirtqueue) Virtqueue.create(memory, driver.config(), features);
      log = new PackedInflightLog(shared, SIZE, ring);
      LeftBehind left = log.recover(VirtqueueState.START);
      inFlight = new ArrayList<>();
      finished.clear();
      List<Long> found = new ArrayList<>();
      for (int i = 0; i < left.count(); i++) {
        DescriptorChain chain = new DescriptorChain();
        left.retake(i, chain);
        inFlight.add(chain);
        found.add(chain.offset(0));
      }
      assertEquals(taken, found);
    }

    void take(boolean dies) throws Exception {
      DescriptorChain chain = new DescriptorChain();
      if (ring.pop(chain) && !dies) {
        log.taken(chain);
        inFlight.add(chain);
        taken.add(chain.offset(0));
      }
    }

    void finish(Random random, boolean dies) {
      if (!inFlight.isEmpty()) {
        DescriptorChain chain = inFlight.remove(random.nextInt(inFlight.size()));
        log.finished(chain);
        if (!dies) {
          ring.push(chain, 0);
          finished.add(chain.offset(0));
        }
      }
    }

    void publish(boolean dies) {
      ring.publish();
      taken.removeAll(finished);
      finished.clear();
      if (!dies) {
        log.published();
      }
    }
  }

  private static long features(boolean indirect) {
    return VirtioFeatures.VERSION_1
        | VirtioFeatures.RING_PACKED
        | (indirect ? VirtioFeatures.INDIRECT_DESC : 0);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void nothingIsLostOrDoneTwice(boolean indirect) throws Exception {
    Random random = new Random(47);
    try (GuestMemory memory = GuestMemory.allocate(MEMORY);
        Arena arena = Arena.ofConfined()) {
      long features = features(indirect);
      DriverQueue driver =
          DriverQueue.create(new GuestArea(memory, 0, BUFFERS), 0, SIZE, 4, features);
      MemorySegment shared = arena.allocate(PackedInflightLog.bytes(SIZE), 8);
      Device device = new Device(memory, driver, features, shared);
      Set<Integer> waiting = new HashSet<>();
      int tokens = 0;
      int deaths = 0;
      int inherited = 0;
      for (int step = 0; step < 100_000; step++) {
        boolean dies = random.nextInt(20) == 0;
        switch (random.nextInt(5)) {
          case 0 -> {
            int token = tokens++;
            int pieces = 1 + random.nextInt(4);
            for (int i = 0; i < pieces; i++) {
              driver.readable(BUFFERS + (token % 4096) * 64L + i * 16L, 16);
            }
            if (driver.submit(token)) {
              waiting.add(token);
            }
            driver.publish();
          }
          case 1 -> device.take(dies);
          case 2 -> device.finish(random, dies);
          case 3 -> device.publish(dies);
          default -> {
            while (driver.reap()) {
              assertTrue(waiting.remove(driver.token()), "token " + driver.token());
            }
          }
        }
        if (dies) {
          device.begin();
          deaths++;
          inherited += device.inFlight.size();
        }
      }
      assertTrue(deaths > 1000 && inherited > deaths, inherited + " of " + deaths);
      while (!waiting.isEmpty()) {
        device.take(false);
        device.finish(random, false);
        device.publish(false);
        while (driver.reap()) {
          assertTrue(waiting.remove(driver.token()), "token " + driver.token());
        }
      }
      assertEquals(List.of(), device.taken);
    }
  }

  /** Whatever a client has written there. */
  @Test
  void anythingMayBeInTheMemory() throws Exception {
    Random random = new Random(48);
    int refused = 0;
    try (GuestMemory memory = GuestMemory.allocate(MEMORY);
        Arena arena = Arena.ofConfined()) {
      DriverQueue driver =
          DriverQueue.create(new GuestArea(memory, 0, BUFFERS), 0, SIZE, 4, features(true));
      MemorySegment shared = arena.allocate(PackedInflightLog.bytes(SIZE), 8);
      for (int round = 0; round < 20_000; round++) {
        PackedVirtqueue ring =
            (PackedVirtqueue) Virtqueue.create(memory, driver.config(), features(true));
        for (long at = 0; at < shared.byteSize(); at++) {
          shared.set(ValueLayout.JAVA_BYTE, at, (byte) (random.nextInt(4) == 0 ? 1 : 0));
        }
        // The version, the size, and places that may be.
        shared.set(ValueLayout.JAVA_SHORT, 8, (short) 1);
        shared.set(ValueLayout.JAVA_SHORT, 10, (short) SIZE);
        shared.set(ValueLayout.JAVA_LONG, 16, (long) random.nextInt(2) << 32 | 0x1_0000_0001L);
        for (int entry = 0; entry < SIZE; entry++) {
          long at = 32 + 32L * entry;
          shared.set(ValueLayout.JAVA_SHORT, at + 2, (short) random.nextInt(SIZE + 1));
          shared.set(ValueLayout.JAVA_SHORT, at + 6, (short) random.nextInt(3));
        }
        PackedInflightLog log = new PackedInflightLog(shared, SIZE, ring);
        try {
          LeftBehind left = log.recover(VirtqueueState.START);
          for (int i = 0; i < left.count(); i++) {
            left.retake(i, new DescriptorChain());
          }
        } catch (VhostUserException | VirtqueueException e) {
          refused++;
        }
      }
    }
    assertTrue(refused > 0);
  }

  @Test
  void anotherSizeIsRefused() throws Exception {
    try (GuestMemory memory = GuestMemory.allocate(MEMORY);
        Arena arena = Arena.ofConfined()) {
      DriverQueue driver =
          DriverQueue.create(new GuestArea(memory, 0, BUFFERS), 0, SIZE, 4, features(true));
      MemorySegment shared = arena.allocate(PackedInflightLog.bytes(SIZE), 8);
      shared.set(ValueLayout.JAVA_SHORT, 8, (short) 1);
      shared.set(ValueLayout.JAVA_SHORT, 10, (short) 32);
      PackedVirtqueue ring =
          (PackedVirtqueue) Virtqueue.create(memory, driver.config(), features(true));
      assertThrows(
          VhostUserException.class,
          () -> new PackedInflightLog(shared, SIZE, ring).recover(VirtqueueState.START));
    }
  }
}

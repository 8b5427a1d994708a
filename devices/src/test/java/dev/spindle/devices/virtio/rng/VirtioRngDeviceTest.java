// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.rng;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestArea;
import dev.spindle.devices.virtio.driver.GuestDriver;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VirtioRngDeviceTest {
  private static final long BUFFER = 0x40000;

  private IoThread thread;
  private GuestMemory memory;
  private VirtioRngDevice device;

  @BeforeEach
  void start() throws Exception {
    thread = IoThread.start("rng", ContextOptions.MAIN_LOOP);
    memory = GuestMemory.allocate(1 << 20);
    device = new VirtioRngDevice(thread.context());
  }

  @AfterEach
  void stop() {
    thread.close();
    memory.close();
  }

  private GuestDriver driver(long features) throws Exception {
    GuestArea area = new GuestArea(memory, 0x1000, 0x30000);
    return GuestDriver.start(device, area, features, 0, 1, 8);
  }

  @ParameterizedTest
  @ValueSource(
      longs = {
        0,
        VirtioFeatures.EVENT_IDX,
        VirtioFeatures.RING_PACKED,
        VirtioFeatures.RING_PACKED | VirtioFeatures.EVENT_IDX | VirtioFeatures.INDIRECT_DESC
      })
  void everyBufferIsFilledWithSomethingElse(long features) throws Exception {
    try (GuestDriver driver = driver(features)) {
      DriverQueue queue = driver.queue(0);
      Set<Long> seen = new HashSet<>();
      for (int round = 0; round < 200; round++) {
        queue.writable(BUFFER, 5);
        queue.writable(BUFFER + 100, 64);
        queue.submit(round);
        driver.kick(0);
        driver.awaitUsed(0);
        assertTrue(queue.reap());
        assertEquals(69, queue.usedLength());
        for (int i = 0; i < 64; i += 8) {
          assertTrue(seen.add(memory.readLong(BUFFER + 100 + i)), "seen before");
        }
        assertEquals(0, memory.readByte(BUFFER + 5), "beyond the buffer");
      }
    }
  }

  @Test
  void aLargeRequestIsAnsweredInPart() throws Exception {
    try (GuestDriver driver = driver(0)) {
      driver.queue(0).writable(BUFFER, 0x10000);
      driver.queue(0).submit(1);
      driver.kick(0);
      driver.awaitUsed(0);
      assertTrue(driver.queue(0).reap());
      assertEquals(4096, driver.queue(0).usedLength());
      assertEquals(0, memory.readLong(BUFFER + 4096));
    }
  }

  @Test
  void aMalformedRequestNeedsAReset() throws Exception {
    try (GuestDriver driver = driver(0)) {
      driver.queue(0).writable(-8, 16);
      driver.queue(0).submit(1);
      driver.kick(0);
      driver.awaitUsed(0);
      assertNotNull(driver.resetReason());
    }
    try (GuestDriver driver = driver(0)) {
      driver.queue(0).writable(BUFFER, 16);
      driver.queue(0).submit(1);
      driver.kick(0);
      driver.awaitUsed(0);
      assertTrue(driver.queue(0).reap(), "after a reset it works again");
    }
  }
}

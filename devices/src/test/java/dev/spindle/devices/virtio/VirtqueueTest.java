// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestArea;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** Device and driver side of a queue against each other, in every kind of ring. */
@ParameterizedClass
@MethodSource("dev.spindle.devices.virtio.RingKind#all")
class VirtqueueTest {
  private static final int SIZE = 16;
  private static final int MAX_CHAIN = 16;

  @Parameter RingKind kind;
  private GuestMemory memory;
  private GuestArea area;
  private DriverQueue driver;
  private Virtqueue device;
  private final DescriptorChain chain = new DescriptorChain();

  @BeforeEach
  void layOut() throws Exception {
    memory = GuestMemory.allocate(1 << 20);
    area = new GuestArea(memory, 0x1000, 0xff000);
    driver = DriverQueue.create(area, 0, SIZE, MAX_CHAIN, kind.features());
    device = Virtqueue.create(memory, driver.config(), kind.features());
  }

  @AfterEach
  void giveBack() {
    memory.close();
  }

  private void submit(int token) {
    driver.readable(0x80000 + 64L * token, 16);
    driver.writable(0xa0000 + 64L * token, 32);
    assertTrue(driver.submit(token));
  }

  @Test
  void anEmptyQueueYieldsNothing() throws Exception {
    assertFalse(device.hasAvailable());
    assertFalse(device.pop(chain));
    assertEquals(0, chain.count());
    assertFalse(device.publish());
    assertFalse(driver.hasUsed());
    assertFalse(driver.reap());
  }

  @Test
  void aChainArrivesAsTheDriverDescribedIt() throws Exception {
    driver.readable(0x80000, 16);
    driver.readable(0x90000, 100);
    driver.writable(0xa0000, 4096);
    driver.writable(0xb0001, 1);
    driver.submit(5);
    driver.publish();
    assertTrue(device.hasAvailable());
    assertTrue(device.pop(chain));
    assertEquals(4, chain.count());
    assertEquals(2, chain.readableCount());
    assertEquals(2, chain.writableCount());
    assertEquals(116, chain.readableBytes());
    assertEquals(4097, chain.writableBytes());
    long[] offsets = {0x80000, 0x90000, 0xa0000, 0xb0001};
    long[] lengths = {16, 100, 4096, 1};
    for (int i = 0; i < 4; i++) {
      assertEquals(offsets[i], chain.offset(i));
      assertEquals(lengths[i], chain.length(i));
      assertEquals(i >= 2, chain.isWritable(i));
    }
    assertEquals(1, device.inFlight());
    assertFalse(device.hasAvailable());
    assertFalse(device.pop(new DescriptorChain()));

    device.push(chain, 4097);
    assertEquals(0, device.inFlight());
    assertFalse(driver.hasUsed(), "used before it is published");
    device.publish();
    assertTrue(driver.reap());
    assertEquals(5, driver.token());
    assertEquals(4097, driver.usedLength());
    assertFalse(driver.reap());
  }

  @Test
  void aChainThatTheDriverChangesAfterwardsStaysAsItWas() throws Exception {
    submit(0);
    driver.publish();
    assertTrue(device.pop(chain));
    memory.slice(0x1000, 0x7f000).fill((byte) 0xff);
    assertEquals(0x80000, chain.offset(0));
    assertEquals(32, chain.length(1));
    assertTrue(chain.isWritable(1));
  }

  @Test
  void usedBuffersComeBackInTheDevicesOrder() throws Exception {
    List<DescriptorChain> chains = new ArrayList<>();
    int slots = kind.indirect() ? 1 : 2;
    int fit = SIZE / slots;
    for (int i = 0; i < fit; i++) {
      submit(i);
    }
    driver.readable(0x80000, 16);
    driver.writable(0x80000, 16);
    assertFalse(driver.submit(99), "the ring is full");
    driver.publish();
    for (int i = 0; i < fit; i++) {
      DescriptorChain popped = new DescriptorChain();
      assertTrue(device.pop(popped));
      chains.add(popped);
    }
    assertEquals(fit, device.inFlight());
    assertFalse(device.pop(chain));
    for (int i = fit - 1; i >= 0; i--) {
      device.push(chains.get(i), i);
    }
    device.publish();
    for (int i = fit - 1; i >= 0; i--) {
      assertTrue(driver.reap());
      assertEquals(i, driver.token());
      assertEquals(i, driver.usedLength());
    }
    assertFalse(driver.reap());
    assertEquals(SIZE, driver.free());
  }

  @Test
  void manyRoundsOfChainsOfEveryLengthKeepTheirPayload() throws Exception {
    Random random = new Random(20260101);
    Deque<DescriptorChain> spare = new ArrayDeque<>();
    List<DescriptorChain> inFlight = new ArrayList<>();
    int[] seeds = new int[5_000];
    int submitted = 0;
    int reaped = 0;
    byte[] out = new byte[MAX_CHAIN * 8];
    List<Integer> freeBuffers = new ArrayList<>();
    for (int i = 0; i < 2 * SIZE; i++) {
      freeBuffers.add(i);
    }
    int[] bufferOf = new int[seeds.length];
    int[] piecesOf = new int[seeds.length];
    for (int turn = 0; reaped < seeds.length; turn++) {
      assertTrue(turn < 20 * seeds.length, "no progress");
      int batch = random.nextInt(6);
      for (int i = 0; i < batch && submitted < seeds.length && !freeBuffers.isEmpty(); i++) {
        int pieces = 1 + random.nextInt(kind.indirect() ? MAX_CHAIN / 2 : 4);
        int buffer = freeBuffers.getLast();
        long base = 0x40000 + 0x400L * buffer;
        for (int p = 0; p < pieces; p++) {
          driver.readable(base + 8L * p, 8);
        }
        for (int p = 0; p < pieces; p++) {
          driver.writable(base + 0x200 + 8L * p, 8);
        }
        if (!driver.submit(submitted)) {
          break;
        }
        freeBuffers.removeLast();
        seeds[submitted] = random.nextInt();
        bufferOf[submitted] = buffer;
        piecesOf[submitted] = pieces;
        byte[] payload = new byte[8 * pieces];
        new Random(seeds[submitted]).nextBytes(payload);
        memory.write(base, payload);
        submitted++;
      }
      driver.publish();
      while (random.nextInt(4) != 0) {
        DescriptorChain next = spare.isEmpty() ? new DescriptorChain() : spare.pop();
        if (!device.pop(next)) {
          spare.push(next);
          break;
        }
        inFlight.add(next);
      }
      Collections.shuffle(inFlight, random);
      int done = random.nextInt(inFlight.size() + 1);
      for (int i = 0; i < done; i++) {
        DescriptorChain used = inFlight.removeLast();
        int length = (int) used.readableBytes();
        assertEquals(length, used.writableBytes());
        used.readBytes(0, out, 0, length);
        used.writeBytes(0, out, 0, length);
        device.push(used, length);
        spare.push(used);
      }
      device.publish();
      while (driver.reap()) {
        int token = driver.token();
        int length = 8 * piecesOf[token];
        assertEquals(length, driver.usedLength());
        byte[] expected = new byte[length];
        new Random(seeds[token]).nextBytes(expected);
        byte[] actual = new byte[length];
        memory.read(0x40000 + 0x400L * bufferOf[token] + 0x200, actual);
        assertArrayEquals(expected, actual);
        freeBuffers.add(bufferOf[token]);
        reaped++;
      }
    }
    assertEquals(0, device.inFlight());
  }

  @Test
  void disabledNotificationsStayOff() throws Exception {
    device.disableNotifications();
    if (!kind.eventIndex() || kind.packed()) {
      submit(0);
      assertFalse(driver.publish());
      submit(1);
      assertFalse(driver.publish());
      assertTrue(device.enableNotifications(), "two are waiting already");
      assertTrue(device.pop(chain));
      assertTrue(device.pop(new DescriptorChain()));
    }
    assertFalse(device.enableNotifications());
    submit(2);
    assertTrue(driver.publish(), "the device has asked for it");
  }

  @Test
  void withEventIndexOneRequestGivesOneNotification() throws Exception {
    for (int round = 0; round < 10 * SIZE; round++) {
      assertFalse(device.enableNotifications());
      submit(0);
      assertTrue(driver.publish());
      submit(1);
      assertEquals(!kind.eventIndex(), driver.publish());
      drain();
    }
  }

  @Test
  void withEventIndexTheDriverGetsOneInterruptPerRequest() throws Exception {
    for (int round = 0; round < 10 * SIZE; round++) {
      assertFalse(driver.enableInterrupts());
      for (int i = 0; i < 3; i++) {
        submit(i);
        driver.publish();
        assertTrue(device.pop(chain));
        device.push(chain, 0);
        assertEquals(!kind.eventIndex() || i == 0, device.publish(), "used buffer " + i);
      }
      for (int i = 0; i < 3; i++) {
        assertTrue(driver.reap());
      }
    }
  }

  @Test
  void theDriverGetsNoInterruptItHasSwitchedOff() throws Exception {
    driver.disableInterrupts();
    if (kind.eventIndex() && !kind.packed()) {
      return; // A split ring with event index has no such switch, only an index gone by.
    }
    submit(0);
    driver.publish();
    assertTrue(device.pop(chain));
    device.push(chain, 0);
    assertFalse(device.publish());
    assertTrue(driver.enableInterrupts(), "it must look again");
  }

  @Test
  void aBatchGivesOneInterruptWhereverTheEventIndexLiesInIt() throws Exception {
    driver.enableInterrupts();
    for (int round = 0; round < 5 * SIZE; round++) {
      for (int i = 0; i < 5; i++) {
        submit(i);
      }
      driver.publish();
      for (int i = 0; i < 5; i++) {
        assertTrue(device.pop(chain));
        device.push(chain, 0);
      }
      assertTrue(device.publish());
      assertFalse(device.publish(), "nothing new");
      int reaped = 0;
      while (driver.reap()) {
        reaped++;
        // The last of these asks for the first of the next batch.
        driver.enableInterrupts();
      }
      assertEquals(5, reaped);
    }
  }

  @Test
  void aQueueGoesOnElsewhereFromItsState() throws Exception {
    Random random = new Random(4);
    for (int round = 0; round < 500; round++) {
      int buffers = 1 + random.nextInt(7);
      for (int i = 0; i < buffers; i++) {
        submit(i);
      }
      driver.publish();
      int seen = random.nextInt(buffers + 1);
      for (int i = 0; i < seen; i++) {
        assertTrue(device.pop(chain));
        device.push(chain, 1);
      }
      device.publish();
      Virtqueue other = Virtqueue.create(memory, driver.config(), kind.features());
      other.restore(device.state());
      assertEquals(device.state(), other.state());
      device = other;
      for (int i = seen; i < buffers; i++) {
        assertTrue(device.pop(chain));
        device.push(chain, 1);
      }
      device.publish();
      for (int i = 0; i < buffers; i++) {
        assertTrue(driver.reap());
        assertEquals(i, driver.token());
      }
      assertFalse(driver.reap());
    }
  }

  @Test
  void stateIsOnlyForAQueueAtRest() throws Exception {
    submit(0);
    driver.publish();
    assertTrue(device.pop(chain));
    assertThrows(IllegalStateException.class, () -> device.state());
    device.push(chain, 0);
    assertThrows(IllegalStateException.class, () -> device.state());
    device.publish();
    assertEquals(device.state(), device.state());
    VirtqueueState wrong = new VirtqueueState(-1, true, -1, true);
    assertThrows(IllegalArgumentException.class, () -> device.restore(wrong));
    VirtqueueState uneven = new VirtqueueState(2, true, 1, true);
    assertThrows(IllegalArgumentException.class, () -> device.restore(uneven));
  }

  @Test
  void aDeviceCannotReportMoreThanItCouldWrite() throws Exception {
    submit(0);
    driver.publish();
    assertTrue(device.pop(chain));
    assertThrows(IllegalArgumentException.class, () -> device.push(chain, 33));
    assertThrows(IllegalArgumentException.class, () -> device.push(chain, -1));
    device.push(chain, 32);
    assertThrows(IllegalStateException.class, () -> device.push(chain, 32));
  }

  private void drain() throws VirtqueueException {
    while (device.pop(chain)) {
      device.push(chain, 0);
    }
    device.publish();
    while (driver.reap()) {
      continue;
    }
  }
}

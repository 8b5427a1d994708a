// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestArea;
import java.util.SplittableRandom;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Driver and device on threads of their own, which sleep whenever the rules let them: a payload
 * that is not there yet, or a notification that never comes, and the test fails.
 */
class VirtqueueStressTest {
  private static final int REQUESTS = 30_000;
  private static final int SIZE = 8;
  private static final int SLOTS = 2 * SIZE;
  private static final long BUFFERS = 0x40000;
  private static final long SEED = 77;

  /** Nothing here takes nearly as long; waiting for ever is what a lost notification looks like. */
  private static final int WATCHDOG_SECONDS = 120;

  private final Semaphore kicks = new Semaphore(0);
  private final Semaphore interrupts = new Semaphore(0);
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private DriverQueue driver;
  private Virtqueue device;
  private GuestMemory memory;

  @ParameterizedTest
  @MethodSource("dev.spindle.devices.virtio.RingKind#all")
  void noPayloadAndNoNotificationIsLost(RingKind kind) throws Exception {
    try (GuestMemory allocated = GuestMemory.allocate(1 << 20)) {
      memory = allocated;
      GuestArea area = new GuestArea(memory, 0x1000, BUFFERS - 0x1000);
      driver = DriverQueue.create(area, 0, SIZE, 4, kind.features());
      device = Virtqueue.create(memory, driver.config(), kind.features());
      Thread deviceThread = start("device", this::serve);
      Thread driverThread = start("driver", this::drive);
      driverThread.join();
      deviceThread.join();
      assertNull(failure.get());
      assertEquals(0, device.inFlight());
      assertEquals(SIZE, driver.free());
    }
  }

  private interface Body {
    void run() throws Exception;
  }

  private Thread start(String name, Body body) {
    return Thread.ofPlatform()
        .name(name)
        .start(
            () -> {
              try {
                body.run();
              } catch (Throwable e) {
                failure.compareAndSet(null, e);
                kicks.release();
                interrupts.release();
              }
            });
  }

  private void await(Semaphore signal, String what) throws InterruptedException {
    if (!signal.tryAcquire(WATCHDOG_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("no " + what + " has come");
    }
    signal.drainPermits();
  }

  // ---- The driver ----------------------------------------------------------------------------

  private void drive() throws Exception {
    SplittableRandom random = new SplittableRandom(SEED);
    long[] free = new long[SLOTS];
    for (int i = 0; i < SLOTS; i++) {
      free[i] = BUFFERS + 64L * i;
    }
    int freeCount = SLOTS;
    long[] bufferOf = new long[REQUESTS];
    int submitted = 0;
    int reaped = 0;
    while (reaped < REQUESTS && failure.get() == null) {
      int batch = random.nextInt(SIZE);
      for (int i = 0; i < batch && submitted < REQUESTS; i++) {
        long buffer = free[freeCount - 1];
        memory.writeLong(buffer, 31L * submitted);
        memory.writeLong(buffer + 16, 0);
        driver.readable(buffer, 8);
        driver.writable(buffer + 16, 8);
        if (!driver.submit(submitted)) {
          break;
        }
        freeCount--;
        bufferOf[submitted++] = buffer;
      }
      if (driver.publish()) {
        kicks.release();
      }
      boolean idle = !driver.hasUsed() && reaped < submitted;
      if (idle && !driver.enableInterrupts()) {
        await(interrupts, "interrupt");
        driver.disableInterrupts();
      }
      while (driver.reap()) {
        long buffer = bufferOf[driver.token()];
        assertEquals(8, driver.usedLength());
        assertEquals(31L * driver.token() + 1, memory.readLong(buffer + 16));
        free[freeCount++] = buffer;
        reaped++;
      }
    }
    kicks.release();
  }

  // ---- The device ----------------------------------------------------------------------------

  private void serve() throws Exception {
    SplittableRandom random = new SplittableRandom(~SEED);
    DescriptorChain[] chains = new DescriptorChain[SIZE];
    for (int i = 0; i < SIZE; i++) {
      chains[i] = new DescriptorChain();
    }
    int served = 0;
    while (served < REQUESTS && failure.get() == null) {
      int batch = 0;
      int limit = random.nextInt(1, SIZE + 1);
      while (batch < limit && device.pop(chains[batch])) {
        batch++;
      }
      for (int i = batch - 1; i >= 0; i--) {
        DescriptorChain chain = chains[i];
        memory.writeLong(chain.offset(1), chain.readLong(0) + 1);
        device.push(chain, 8);
      }
      served += batch;
      if (device.publish()) {
        interrupts.release();
      }
      if (batch == 0 && !device.enableNotifications()) {
        await(kicks, "kick");
        device.disableNotifications();
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestArea;
import java.lang.ref.Reference;
import java.util.SplittableRandom;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The one race in a virtqueue that only a full fence decides: one side publishes and looks whether
 * it is to notify, while the other asks to be notified and looks whether there is something. Both
 * may see the other; never neither. Both sides start together, again and again.
 */
class VirtqueueFenceTest {
  private static final int MAX_ROUNDS = 200_000;

  /** Turns of an empty loop. */
  private static final int MAX_SHIFT = 300;

  /** On a busy machine the sides seldom meet; then fewer rounds have to do. */
  private static final long BUDGET_NS = 1_000_000_000L;

  private final AtomicInteger arrived = new AtomicInteger();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private final DescriptorChain chain = new DescriptorChain();
  private final long start = System.nanoTime();
  private DriverQueue driver;
  private Virtqueue device;

  /** What one side does wrong on purpose, to show that it would be noticed. */
  enum Fault {
    NONE,
    /** The device asks to be notified and does not look any more. */
    DEVICE_DOES_NOT_LOOK,
    /** The driver asks for interrupts and does not look any more. */
    DRIVER_DOES_NOT_LOOK
  }

  private Fault fault = Fault.NONE;

  // Each written by one side before a meeting and read by the other after it.
  private boolean kicked;
  private boolean kickAvailable;
  private boolean interrupted;
  private boolean interruptUsed;
  private boolean goOn = true;

  @ParameterizedTest
  @MethodSource("dev.spindle.devices.virtio.RingKind#all")
  void oneOfBothSidesAlwaysSeesTheOther(RingKind kind) throws Exception {
    run(kind);
    assertNull(failure.get());
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void aPlantedFaultIsFound(Fault planted) throws Exception {
    fault = planted;
    for (RingKind kind : RingKind.all()) {
      failure.set(null);
      arrived.set(0);
      goOn = true;
      run(kind);
      assertNotNull(failure.get(), kind + ": nobody noticed");
    }
  }

  private void run(RingKind kind) throws Exception {
    try (GuestMemory memory = GuestMemory.allocate(1 << 20)) {
      GuestArea area = new GuestArea(memory, 0x1000, 0x10000);
      driver = DriverQueue.create(area, 0, 4, 4, kind.features());
      device = Virtqueue.create(memory, driver.config(), kind.features());
      Thread other = Thread.ofPlatform().start(() -> guarded(this::drive));
      guarded(this::serve);
      other.join();
    }
  }

  private interface Side {
    void run() throws Exception;
  }

  private void guarded(Side side) {
    try {
      side.run();
    } catch (Exception | AssertionError e) {
      failure.compareAndSet(null, e);
    }
  }

  /**
   * Waits until both sides are here, and a little longer: whoever comes last leaves first, by the
   * time that news takes from one processor to the other, so the sides are shifted against each
   * other.
   */
  private void meetAndShift(int number, SplittableRandom random) throws BrokenBarrierException {
    meet(number);
    for (int i = random.nextInt(MAX_SHIFT); i > 0; i--) {
      Reference.reachabilityFence(this);
    }
  }

  private void meet(int number) throws BrokenBarrierException {
    arrived.incrementAndGet();
    for (int spins = 0; arrived.get() < 2 * number; spins++) {
      if (failure.get() != null) {
        throw new BrokenBarrierException("the other side has failed");
      }
      if (spins < 10_000) {
        Thread.onSpinWait();
      } else {
        Thread.yield();
      }
    }
  }

  private void drive() throws Exception {
    SplittableRandom random = new SplittableRandom(1);
    int meeting = 0;
    for (int i = 0; goOn; i++) {
      driver.disableInterrupts();
      driver.readable(0x20000, 8);
      meetAndShift(++meeting, random);
      driver.submit(i);
      kicked = driver.publish();
      meet(++meeting);
      meetAndShift(++meeting, random);
      interruptUsed = driver.enableInterrupts() && fault != Fault.DRIVER_DOES_NOT_LOOK;
      meet(++meeting);
      assertTrue(interrupted || interruptUsed, "interrupt lost in round " + i);
      assertTrue(driver.reap());
    }
  }

  private void serve() throws Exception {
    SplittableRandom random = new SplittableRandom(2);
    int meeting = 0;
    for (int i = 0; goOn; i++) {
      device.disableNotifications();
      meetAndShift(++meeting, random);
      kickAvailable = device.enableNotifications() && fault != Fault.DEVICE_DOES_NOT_LOOK;
      meet(++meeting);
      assertTrue(kicked || kickAvailable, "kick lost in round " + i);
      assertTrue(device.pop(chain));
      device.push(chain, 0);
      meetAndShift(++meeting, random);
      interrupted = device.publish();
      boolean inTime = fault != Fault.NONE || System.nanoTime() - start < BUDGET_NS;
      goOn = i < MAX_ROUNDS && inTime;
      meet(++meeting);
    }
  }
}
